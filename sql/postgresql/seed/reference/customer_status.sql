INSERT INTO customer_status (status, description, sort_order)
VALUES ('active', 'may order and log in', 1),
       ('suspended', 'may log in, may not order', 2),
       ('closed', 'kept for the records alone', 3)
ON CONFLICT (status) DO UPDATE
   SET description = excluded.description, sort_order = excluded.sort_order;
