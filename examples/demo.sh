#!/bin/sh
# The main job on the embedded default, shown command by command. Leaves its folder, .demo, to be looked at.
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

show 0 'bring the schema forward' custctl migrate
show 0 'fill in the reference data' custctl seed
show 10 'import a file: good rows land, bad ones are set aside' \
  custctl customer import customers.csv --map address_line=Address --map region=State --rejects rejects.csv
show 0 'what was set aside' cat rejects.csv
show 0 'find, whatever the case' custctl customer search GONÇ --fields id,first_name,last_name,email
show 0 'read one customer' custctl customer get ada.lovelace@example.com -o json
show 0 'change it' custctl customer update 1 --phone '+44 20 7946 0199' --fields id,phone,version
show 5 'an older version overwrites nothing' custctl customer update 1 --phone '+44 20 7946 0000' --if-version e1-1
show 0 'what happened to it' custctl customer history 1 --fields happened_at,action,changes
show 0 'nobody has touched the audit' custctl audit verify
show 0 'one screen for the one on call' custctl doctor
printf '\nThe database is %s\n' "$PWD/customers-dev.db"
