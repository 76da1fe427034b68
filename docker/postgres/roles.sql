-- Least privilege. The owner migrates, and what it makes is its own; the application gets what
-- migrations/0004_rights.sql grants it: it could not change an event if it tried. Who reads for BI
-- gets the views of schema bi, which name no person, and nothing else: make a role for each tool,
-- CREATE ROLE superset LOGIN PASSWORD '…' IN ROLE casecore_bi.
-- Run before the first migration, in the database casecore:
--   psql --set owner_password=… --set app_password=… --file roles.sql
CREATE ROLE casecore_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE casecore_app LOGIN PASSWORD :'app_password';
SELECT 'CREATE ROLE casecore_bi NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_bi') \gexec

SELECT current_database() AS database \gset
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"database" TO casecore_owner;
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO casecore_app;
GRANT CONNECT ON DATABASE :"database" TO casecore_bi;
