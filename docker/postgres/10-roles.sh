#!/bin/sh
# Run once by the postgres image, when its data folder is empty.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname casecore \
     --set owner_password="$CASECORE_OWNER_PASSWORD" --set app_password="$CASECORE_APP_PASSWORD" \
     --file /roles.sql
