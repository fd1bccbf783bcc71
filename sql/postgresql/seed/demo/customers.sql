INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
VALUES ('ada.lovelace@example.com', 'Ada', 'Lovelace', '+44 20 7946 0101', 'Analytical Engines Ltd', '12 St James''s Square', 'London', NULL, 'SW1Y 4JH', 'United Kingdom', 'active'),
       ('grace.hopper@example.com', 'Grace', 'Hopper', '+1 202 555 0102', 'Eckert-Mauchly', '1 Compiler Way', 'Arlington', 'VA', '22201', 'United States', 'active'),
       ('emmy.noether@example.org', 'Emmy', 'Noether', NULL, NULL, 'Bismarckstraße 1', 'Erlangen', 'Bayern', '91054', 'Germany', 'active'),
       ('sofja.kowalewskaja@example.org', 'Софья', 'Ковалевская', NULL, 'Stockholms Högskola', NULL, 'Stockholm', NULL, '111 22', 'Sweden', 'suspended'),
       ('rozsa.peter@example.net', 'Rózsa', 'Péter', '+36 1 555 0105', NULL, 'Múzeum körút 6', 'Budapest', NULL, '1053', 'Hungary', 'active'),
       ('radia.perlman@example.net', 'Radia', 'Perlman', '+1 202 555 0106', 'Spanning Tree Inc', NULL, 'Boston', 'MA', '02110', 'United States', 'closed')
ON CONFLICT (email) DO NOTHING;
