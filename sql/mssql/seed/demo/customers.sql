INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'ada.lovelace@example.com', N'Ada', N'Lovelace', N'+44 20 7946 0101', N'Analytical Engines Ltd', N'12 St James''s Square', N'London', NULL, N'SW1Y 4JH', N'United Kingdom', N'active'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'ada.lovelace@example.com');

INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'grace.hopper@example.com', N'Grace', N'Hopper', N'+1 202 555 0102', N'Eckert-Mauchly', N'1 Compiler Way', N'Arlington', N'VA', N'22201', N'United States', N'active'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'grace.hopper@example.com');

INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'emmy.noether@example.org', N'Emmy', N'Noether', NULL, NULL, N'Bismarckstraße 1', N'Erlangen', N'Bayern', N'91054', N'Germany', N'active'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'emmy.noether@example.org');

INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'sofja.kowalewskaja@example.org', N'Софья', N'Ковалевская', NULL, N'Stockholms Högskola', NULL, N'Stockholm', NULL, N'111 22', N'Sweden', N'suspended'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'sofja.kowalewskaja@example.org');

INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'rozsa.peter@example.net', N'Rózsa', N'Péter', N'+36 1 555 0105', NULL, N'Múzeum körút 6', N'Budapest', NULL, N'1053', N'Hungary', N'active'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'rozsa.peter@example.net');

INSERT INTO customer (email, first_name, last_name, phone, company, address_line, city, region, postal_code, country, status)
SELECT N'radia.perlman@example.net', N'Radia', N'Perlman', N'+1 202 555 0106', N'Spanning Tree Inc', NULL, N'Boston', N'MA', N'02110', N'United States', N'closed'
 WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email = N'radia.perlman@example.net');
GO
