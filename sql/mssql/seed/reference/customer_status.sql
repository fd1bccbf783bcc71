UPDATE customer_status SET description = N'may order and log in', sort_order = 1 WHERE status = N'active';
UPDATE customer_status SET description = N'may log in, may not order', sort_order = 2 WHERE status = N'suspended';
UPDATE customer_status SET description = N'kept for the records alone', sort_order = 3 WHERE status = N'closed';

INSERT INTO customer_status (status, description, sort_order)
SELECT wanted.status, wanted.description, wanted.sort_order
  FROM (SELECT N'active' AS status, N'may order and log in' AS description, 1 AS sort_order
        UNION ALL SELECT N'suspended', N'may log in, may not order', 2
        UNION ALL SELECT N'closed', N'kept for the records alone', 3) AS wanted
 WHERE NOT EXISTS (SELECT 1 FROM customer_status AS held
                    WHERE held.status = wanted.status COLLATE Latin1_General_BIN2);
GO
