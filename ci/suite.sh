# suite.sh -- the tests on every stack, each at its size, and one table of them all.  Read by ci/dev.
# SPDX-License-Identifier: MIT

RESULTS=build/results
# Rooms whose tests need no device, or bring their own: once is enough.
ONCE='^(base|data|lint|kernels|faults|install|host)$'
ELSEWHERE='^(base|data|lint|kernels|faults|install|host|oclgrind|two|gpu|slow)$'
# Minutes on llvmpipe: many training steps or drawings, or units that are played.  agree_* train and draw there.
TRAINED_LONG='^(nn_attention|ops_attention_matrix|models_dvae|models_training|models_own|models_text|models_accumulate|models_sampler_kept|api_dalle|api_contract|api_near|api_pack|api_calibrate|api_rank|api_score|models_clip|models_clip_step|models_clip_source|models_diffusion_prior|models_ar_prior|models_decoder|models_upsampler|models_precision|models_room|models_sampler|models_diffusion_sampler|models_workload|api_unclip|cli_program)$'
# A minute and more of two models' training that says nothing of a stack: their operators are tried on each.
TRAINED_ONCE='^(models_precision|models_ar_prior|models_room)$'
# A GPU's matrix units, played: alike on every CPU, and seconds of compiling each.  PoCL and Oclgrind have them.
PLAYED='^(ops_attention_matrix|device_matrix)$'
# What the program says and writes, and files that are damaged, whatever computes: on PoCL alone.
SCRIPTS='^(cli_(data|readme|outputs|signals|captions|home|kinds|plain|sets|kills|report|data_commands|index|eval|rank|search|unclip|upsampler|demo2|ranks|ranks_net|shards|shards_kinds|compress|plan|room|near)|train_(power|damage)|cuda_agree)$'

# suite_run COLUMN COMMAND...: ctest, with its results and how long it took in files.
suite_run() {
    column=$1
    shift
    printf '\n==== %s\n' "$column"
    began=$(date +%s)
    failed=0
    "$@" --test-dir build --output-on-failure --parallel "$JOBS" --no-tests=error \
        --output-junit "results/$column.xml" || failed=1
    echo $(($(date +%s) - began)) >"$RESULTS/$column.seconds"
    return $failed
}

# suite_stack STACK: which tests, and at which size.
suite_stack() {
    case $1 in
        host) suite_run host on_stack host ctest -L "$ONCE" -LE '^slow$' ;;
        pocl) suite_run pocl on_stack pocl ctest -LE "$ELSEWHERE" ;;
        intel) suite_run intel on_stack intel ctest -LE "$ELSEWHERE" -E "$TRAINED_ONCE|$SCRIPTS|$PLAYED" ;;
        rusticl)
            echo "left out, for they have no reduced size: $TRAINED_LONG; of device_program_cache one case," \
                "for Mesa 22.3 ends a process that gives it a damaged binary" | tr -d '^()$' >$RESULTS/rusticl.note
            suite_run rusticl on_stack rusticl env DALLE_CL_TINY=1 ctest -LE "$ELSEWHERE" -E "$TRAINED_LONG|$SCRIPTS"
            ;;
        oclgrind) suite_run oclgrind on_stack oclgrind ctest -L '^oclgrind$' -LE '^slow$' ;;
        two) suite_run two on_stack two ctest -L '^two$' ;;
    esac
}

# Other devices are compared with what PoCL computed.
suite_reference() {
    [ ! -f $RESULTS/pocl.xml ] || return 0
    printf '\n==== recording what PoCL computes, for comparison\n'
    on_stack pocl ctest --test-dir build -R '^agree_(full|least|demo|caption)$' --output-on-failure
}

# A stack that is installed but does not work is as good as missing.
suite_works() {
    reason=$(stack_missing "$1") && { echo "$reason" >"$RESULTS/$1.missing"; return 1; }
    simulator=
    case $1 in
        host) return 0 ;;
        oclgrind) simulator=oclgrind ;;
    esac
    # shellcheck disable=SC2086
    devices=$(on_stack "$1" $simulator build/dalle-cl devices --json 2>&1) || true
    case $devices in *'"usable": true'*) return 0 ;; esac
    echo "it is installed but does not work: $(echo "$devices" | tail -n 1)" | tee "$RESULTS/$1.missing"
    return 1
}

suite_table() {
    files=
    for stack in "$@"; do
        for ending in xml seconds missing note; do
            [ ! -f "$RESULTS/$stack.$ending" ] || files="$files $RESULTS/$stack.$ending"
        done
    done
    # shellcheck disable=SC2086
    awk -f ci/summary.awk $files
    for what in full least demo caption; do
        others=$(find build/agree -name "*-$what.safetensors" ! -name "pocl-*" | sort)
        # shellcheck disable=SC2086
        [ -z "$others" ] || { echo; build/tests/agree_compare build/agree/pocl-$what.safetensors $others; }
    done
}

# suite STACK...: fails with any test, and without PoCL or Oclgrind.
suite() {
    status=0
    rm -rf $RESULTS build/agree
    mkdir -p $RESULTS
    for stack in "$@"; do
        if ! suite_works "$stack"; then
            case $stack in pocl | oclgrind) status=1 ;; esac
            continue
        fi
        case $stack in intel | rusticl | oclgrind) suite_reference || status=1 ;; esac
        suite_stack "$stack" || status=1
    done
    suite_table "$@" || status=1
    return $status
}

# suite_device WORD: all of it on one of the machine's own devices, by its own drivers.
suite_device() {
    status=0
    rm -rf $RESULTS build/agree
    mkdir -p $RESULTS
    suite_reference || status=1
    suite_run "$1" env DALLE_CL_DEVICE="$1" ctest -LE '^(lint|kernels|faults|oclgrind|two|slow)$' || status=1
    suite_table "$1" || status=1
    return $status
}
