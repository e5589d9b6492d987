-- Two roles: lk_owner makes and changes tables, lk_server reads and writes rows and can do nothing else to them.
-- Run as a superuser in the database of LK, before the first migration or at any time after; it may be run again:
--   psql -d lk -v owner_password=… -v server_password=… -f roles.sql
\set ON_ERROR_STOP on
SELECT 'CREATE ROLE lk_owner' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lk_owner') \gexec
SELECT 'CREATE ROLE lk_server' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lk_server') \gexec
ALTER ROLE lk_owner LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE lk_server LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS PASSWORD :'server_password';
ALTER ROLE lk_server SET idle_in_transaction_session_timeout = '60s';

ALTER DATABASE :"DBNAME" OWNER TO lk_owner;
ALTER SCHEMA public OWNER TO lk_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO lk_server;
GRANT USAGE ON SCHEMA public TO lk_server;

-- what another role has made so far becomes the owner's
SELECT format('ALTER TABLE %s OWNER TO lk_owner', oid::regclass) FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') \gexec
SELECT format('ALTER FUNCTION %s OWNER TO lk_owner', oid::regprocedure) FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace \gexec

-- rows of the tables that are there, and of those that migrations will make
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lk_server;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO lk_server;
ALTER DEFAULT PRIVILEGES FOR ROLE lk_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lk_server;
ALTER DEFAULT PRIVILEGES FOR ROLE lk_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO lk_server;
