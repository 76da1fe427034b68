-- Least privilege, in two roles. The owner migrates, and what it makes is its own; the application
-- gets what migrations/0004_rights.sql grants it: it could not change an event if it tried.
-- Run before the first migration, in the database casecore:
--   psql --set owner_password=… --set app_password=… --file roles.sql
CREATE ROLE casecore_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE casecore_app LOGIN PASSWORD :'app_password';

SELECT current_database() AS database \gset
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"database" TO casecore_owner;
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO casecore_app;
