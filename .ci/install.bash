# install VENV REQUIREMENTS [OPTION…]: installs into a virtual environment, of $python if that is set, unless it has exactly
# these. To be sourced.
install() {
  local environment=$1 requirements=$2
  shift 2
  if ! cmp -s "$requirements" "$environment/installed"; then
    rm -rf "$environment"
    "${python:-python3}" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$requirements"
    cp "$requirements" "$environment/installed"
  fi
}
