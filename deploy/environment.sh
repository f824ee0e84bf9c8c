# Sourced by deploy/demo and tests/run: a virtual environment with gwevent in it.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# One sentence, exit status 2.
give_up() {
  say "$0: $*"
  exit 2
}

# Print "3.11.2" of an interpreter that runs; nothing of one that doesn't, such as a shim without its version.
version_of() { "$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

new_enough() { "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Debian and Ubuntu leave ensurepip out of python3 and put it into python3-venv.
makes_environments() { "$1" -I -c 'import ensurepip, venv' 2>/dev/null; }

# Print the first interpreter that is new enough and can make environments; PYTHON, if set, is the only candidate.
find_python() {
  local candidates=(python3.13 python3.12 python3.11 python3 python) old='' bare='' candidate version
  [[ -n ${PYTHON:-} ]] && candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    version=$(version_of "$candidate") || continue
    if ! new_enough "$candidate"; then
      old=${old:-"$candidate is $version"}
    elif ! makes_environments "$candidate"; then
      bare=${bare:-$candidate}
    else
      printf '%s\n' "$candidate"
      return
    fi
  done
  if [[ -n $bare ]]; then
    give_up "$bare can't make virtual environments, its ensurepip module is missing (Debian, Ubuntu: apt-get install python3-venv)."
  elif [[ -n $old ]]; then
    give_up "Python 3.11 or newer is needed, but $old (another one can be named: PYTHON=/path/to/python3.11 $0)."
  elif [[ -n ${PYTHON:-} ]]; then
    give_up "PYTHON=$PYTHON is no Python that runs."
  fi
  give_up "Python 3.11 or newer is needed, and there is no Python here (Debian, Ubuntu: apt-get install python3 python3-venv)."
}

# Read pip's output; on a terminal show in one line how far it is.
show_progress() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      Collecting\ *) count=$((count + 1)) && line=${line#Collecting } && line="package $count: ${line%% *}" ;;
      Installing\ collected*) line="unpacking $count packages" ;;
      *) continue ;;
    esac
    printf '\r\033[K  %s' "$line" >&2
  done
  printf '\r\033[K' >&2
}

# Install with pip into the environment $1; its output goes to a file, whose end is shown if it fails.
install() {
  local environment=$1 log=$1/pip.log status=0
  shift
  if [[ -t 2 ]]; then
    "$environment/bin/python" -I -m pip install --retries 2 "$@" 2>&1 | tee "$log" | show_progress || status=$?
  else
    "$environment/bin/python" -I -m pip install --retries 2 "$@" >"$log" 2>&1 || status=$?
  fi
  [[ $status -eq 0 ]] || tail -n 25 "$log" >&2
  return "$status"
}

# prepare_environment ROOT NAME EXTRAS
# ROOT/NAME becomes an environment with ROOT[EXTRAS] in it, editable, installed anew only if pyproject.toml
# changed since or the checkout moved.
prepare_environment() {
  local root=$1 environment=$1/$2 extras=$3 python stamp
  # What a shell profile or pip's configuration adds for other projects has no place in an environment.
  unset PYTHONPATH PYTHONHOME
  export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1

  if ! new_enough "$environment/bin/python" || ! "$environment/bin/python" -I -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || exit
    say "Making $environment with $python ($(version_of "$python")) …"
    "$python" -I -m venv --clear "$environment" >&2 ||
      give_up "The environment $environment can't be made; the reason stands above."
  fi

  stamp="${root}[$extras] $(cksum <"$root/pyproject.toml")"
  if [[ -f $environment/gwevent-installed && $(<"$environment/gwevent-installed") == "$stamp" ]]; then
    return
  fi
  rm -f "$environment/gwevent-installed"
  say "Installing gwevent and what it needs into $environment (about a minute) …"
  install "$environment" --editable "$root${extras:+[$extras]}" ||
    give_up "The packages can't be installed, pip says why above; without a network, or a way to the package index, it can't work."
  printf '%s\n' "$stamp" >"$environment/gwevent-installed"
}
