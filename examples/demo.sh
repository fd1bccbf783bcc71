#!/bin/sh
# The main job on SQLite, command by command. The folder .demo remains for you to look at.
set -u
cd "$(dirname "$0")/.." || exit 1
rm -rf .demo && mkdir .demo && cp -r profiles sql examples/customers.csv .demo && cd .demo || exit 1
unset CUSTCTL_ENV CUSTCTL_PROFILES_DIR CUSTCTL_SQL_DIR

# show EXPECTED-EXIT-CODE TITLE COMMAND...
show() {
  expected=$1
  title=$2
  shift 2
  printf '\n# %s\n$' "$title"
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./:=@%,-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
  "$@" 2>&1
  code=$?
  if [ "$code" -ne 0 ]; then echo "(exit code $code)"; fi
  if [ "$code" -ne "$expected" ]; then
    echo "demo: exit code $expected was expected" >&2
    exit 1
  fi
}

show 0 'create the schema' custctl migrate
show 0 'load the reference data' custctl seed
show 10 'import a file: good rows go in, bad ones are rejected' \
  custctl customer import customers.csv --map address_line=Address --map region=State --rejects rejects.csv
show 0 'the rejected row, with its reason' cat rejects.csv
show 0 'find a customer; case does not matter' custctl customer search GONÇ --fields id,first_name,last_name,email
show 0 'show one customer' custctl customer get ada.lovelace@example.com -o json
show 0 'change a customer' custctl customer update 1 --phone '+44 20 7946 0199' --fields id,phone,version
show 5 'somebody who still has the old version overwrites nothing' custctl customer update 1 --phone '+44 20 7946 0000' --if-version e1-1
show 0 'what happened to the customer' custctl customer history 1 --fields happened_at,action,changes
show 0 'verify the audit' custctl audit verify
show 0 'check everything on one screen' custctl doctor
printf '\nThe database is %s\n' "$PWD/customers-dev.db"
