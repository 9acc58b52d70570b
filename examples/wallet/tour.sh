#!/bin/sh
# A tour on whatever cluster KUBECONFIG names; made for a throwaway one:
#   underpin sandbox -- sh examples/wallet/tour.sh
# or a real one:
#   cargo xtask control-plane run -- sh examples/wallet/tour.sh
set -u
cd "$(dirname "$0")" || exit 1

cargo build --quiet --package underpin || exit 1
underpin=${CARGO_TARGET_DIR:-../../target}/debug/underpin

# run EXPECTED_EXIT_CODE ARGUMENTS…
run() {
  expected=$1
  shift
  printf '\n$ underpin %s\n' "$*"
  "$underpin" "$@"
  code=$?
  [ "$code" -eq 0 ] || printf '(exit code %s)\n' "$code"
  [ "$code" -eq "$expected" ] || { echo "expected exit code $expected" >&2; exit 1; }
}

run 0 check .
run 0 plan -e production
run 0 up -e production --yes
run 0 up -e tenant-a --yes
run 0 up -e production --yes

printf '\n# Somebody renames the database Secret, and forgets the Deployment.\n'
sed 's/name: db }$/name: database }/' k8s/app.yaml >k8s/app.yaml.new
mv k8s/app.yaml k8s/app.yaml.old && mv k8s/app.yaml.new k8s/app.yaml
trap 'mv -f k8s/app.yaml.old k8s/app.yaml' EXIT
run 3 plan -e production

printf '\n# The tenant goes, and takes nothing of production along.\n'
run 0 down -e tenant-a --yes
run 0 status
