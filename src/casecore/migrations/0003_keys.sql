-- The keys that open the door: who each stands for, and a hash to know it by.

CREATE SCHEMA IF NOT EXISTS sys;

CREATE TABLE sys.api_key (
    id          uuid        PRIMARY KEY,
    ledger      text        NOT NULL,
    actor       text        NOT NULL,
    role        text        NOT NULL CHECK (role <> 'system'),
    name        text        NOT NULL,
    key_hash    bytea       NOT NULL UNIQUE,
    last4       text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);

COMMENT ON TABLE sys.api_key IS 'API keys. The key itself is shown once, when it is made.';
COMMENT ON COLUMN sys.api_key.key_hash IS 'SHA-256 of the key, which is 256 random bits: no salt needed';
COMMENT ON COLUMN sys.api_key.last4 IS 'The last characters of the key, for people to tell keys apart';
