# `source cfg_env.sh`: the tools need no set-up; Python finds calibrator_custom, and scripts of yours may want to know where they are.
SGS_IPU_DIR=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE:-$0}")" && pwd)
export SGS_IPU_DIR
for sgs_python in "$SGS_IPU_DIR/../python" "$SGS_IPU_DIR/../../python"; do # installed; in the source tree
    if [ -d "$sgs_python/calibrator_custom" ]; then
        PYTHONPATH=$(CDPATH= cd -- "$sgs_python" && pwd)${PYTHONPATH:+:$PYTHONPATH}
        export PYTHONPATH
        break
    fi
done
unset sgs_python
