-- Least privilege. The owner migrates; the application appends and reads, and could not change an
-- event if it tried; the read models are its own to rebuild.
CREATE ROLE casecore_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE casecore_app LOGIN PASSWORD :'app_password';

REVOKE ALL ON DATABASE casecore FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE casecore TO casecore_owner;
GRANT CONNECT, TEMPORARY ON DATABASE casecore TO casecore_app;
