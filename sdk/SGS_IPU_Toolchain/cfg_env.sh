# `source cfg_env.sh`: the tools need no set-up; scripts of yours may want to know where they are.
SGS_IPU_DIR=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE:-$0}")" && pwd)
export SGS_IPU_DIR
