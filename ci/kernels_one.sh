# kernels_one.sh "NUMBER<tab>TARGET<tab>FILE<tab>OPTIONS" -- one compilation for ci/kernels.sh, which sets the
# environment; appends a line per kernel to $work/results:
#   target file options kernel registers spill_bytes private_bytes local_bytes occupancy width matrix
# occupancy: what the compiler says of it, or -; width: work-items that run as one; matrix: instructions of the matrix
# unit that the options ask for, - where they were not counted.
# SPDX-License-Identifier: MIT
IFS=$(printf '\t') read -r number target file options <<END
$1
END
base=$work/$number
set -f
# Helpers of a shared header that one kernel does not call are no mistake.
flags="-x cl -cl-std=CL1.2 -O2 -S -Icl -Wall -Werror -Wno-unused-function -Wno-linker-warnings"

fail() {
    { echo "FAIL $target: $file.cl $options"; head -n 20 "$base.log"; } >"$base.fail"
    cat "$base.fail" >>"$work/errors" # short enough to be appended whole
    rm -f "$base".*
    exit 0
}

unit=$(echo "$options" | awk "$(cat ci/kernels_unit.awk)"'{ print matrix_unit($0) }')

# emit TARGET: completes what a parser prints; $base.matrix has a line per kernel: its name, and how many instructions.
emit() {
    [ -f "$base.matrix" ] || : >"$base.matrix"
    awk -v target="$1" -v file="$file" -v options="$options" -v unit="$unit" '
        FILENAME != "-" { if (NF == 2) found[$1] = $2; counted = 1; next }
        {
            split($0, part, "\t")
            print target "\t" file "\t" options "\t" $0 "\t" (unit && counted ? found[part[1]] + 0 : "-")
        }' "$base.matrix" - >>"$base.rows"
    rm -f "$base.matrix"
}

# matrix_of EXPRESSION LABEL: from assembly, the instructions that the expression fits, by kernel, which a line that fits
# LABEL names.
matrix_of() {
    awk -v expression="$1" -v label="$2" '
        $0 ~ label { name = $0; gsub(/^.*\.text\.|^(\.visible )?\.entry |[:,(].*$/, "", name) }
        $0 ~ expression { ++count[name] }
        END { print "counted"; for (n in count) print n, count[n] }'
}

# Words of options are split on purpose.
# shellcheck disable=SC2086
case $target in
    nvidia)
        # libclc knows no compute capability above 2.0; code for 7.0 is what every target of ours runs.
        capability=sm_70
        [ "$unit" = 0 ] || capability=sm_80
        clang-15 $flags -target nvptx64-nvidia-nvcl -Xclang -target-cpu -Xclang $capability \
            -Xclang -mlink-builtin-bitcode -Xclang "$libclc" $options "cl/$file.cl" -o "$base.ptx" \
            >"$base.log" 2>&1 || fail
        for sm in $(echo "$nvidia" | tr ' ' '\n'); do
            [ "$capability" = sm_80 ] && [ "$sm" = sm_70 ] && continue
            ptxas -arch="$sm" -v "$base.ptx" -o "$base.cubin" >"$base.log" 2>&1 || fail
            # Without a disassembler, what the assembler was given is counted.
            if [ "$unit" = 0 ]; then :
            elif command -v nvdisasm >/dev/null; then
                nvdisasm "$base.cubin" >"$base.sass"
                matrix_of ' HMMA\.' '^\.text\.[A-Za-z_0-9]*:' <"$base.sass" >"$base.matrix"
                copies=$(grep -c ' LDGSTS' "$base.sass")
            else
                matrix_of 'mma\.sync' '^(\.visible )?\.entry ' <"$base.ptx" >"$base.matrix"
                copies=$(grep -cE 'cp\.async\.c[ag]\.' "$base.ptx")
            fi
            case $options in
                *-DCOPIES=1*) [ "$copies" -gt 0 ] || { echo "no asynchronous copy to local memory" >"$base.log"; fail; } ;;
            esac
            awk '
                /Function properties for/ { name = $NF }
                /bytes stack frame/ { stack[name] = $1; spill[name] = $5 }
                /Compiling entry function/ { split($0, part, "\047"); entry = part[2] }
                /Used [0-9]+ registers/ {
                    local_bytes = 0
                    for (i = 2; i <= NF; ++i) if ($i ~ /^smem/) local_bytes = $(i - 2)
                    for (i = 2; i <= NF; ++i) if ($i == "Used") registers = $(i + 1)
                    print entry "\t" registers "\t" spill[entry] "\t" stack[entry] "\t" local_bytes "\t-\t32"
                }' "$base.log" | emit "$sm"
        done ;;
    gfx*)
        clang=clang-15
        libraries=--rocm-device-lib-path=$bitcode
        # clang 15 gives out half of gfx1100's registers.  The packaged libraries know no gfx1100: they are linked by hand, with gfx1036 as its nearest.
        if [ "$target" = gfx1100 ]; then
            clang=clang-16
            libraries=-nogpulib
            for part in opencl ocml ockl oclc_daz_opt_off oclc_unsafe_math_off oclc_finite_only_off \
                oclc_correctly_rounded_sqrt_off oclc_wavefrontsize64_off oclc_isa_version_1036 oclc_abi_version_400; do
                libraries="$libraries -Xclang -mlink-builtin-bitcode -Xclang $bitcode/$part.bc"
            done
        fi
        $clang $flags -target amdgcn-amd-amdhsa -mcpu="$target" $libraries $options "cl/$file.cl" -o "$base.s" \
            >"$base.log" 2>&1 || fail
        [ "$unit" = 0 ] || matrix_of '^[ \t]*v_(wmma|mfma)_' '^[A-Za-z_][A-Za-z_0-9]*:' <"$base.s" >"$base.matrix"
        # The metadata counts spilled registers, four bytes a work-item each; the text has the occupancy.
        awk '
            /^[A-Za-z_][A-Za-z_0-9]*:/ { label = substr($1, 1, length($1) - 1) }
            /^; Occupancy:/ { occupancy[label] = $3 }
            /^    \.group_segment_fixed_size:/ { local_bytes = $2 }
            /^    \.name:/ { name = $2 }
            /^    \.private_segment_fixed_size:/ { private = $2 }
            /^    \.vgpr_count:/ { registers = $2 }
            /^    \.vgpr_spill_count:/ { spill = $2 }
            /^    \.wavefront_size:/ {
                print name "\t" registers "\t" 4 * spill "\t" private "\t" local_bytes "\t" occupancy[name] "\t" $2
            }' "$base.s" | emit "$target" ;;
    *)
        # The ELF form of its output has what is wanted in readable text; the code is the same.  Spills are in
        # its log alone: registers of a thread, of 32 bytes, pvc's of 64.
        export LD_LIBRARY_PATH="${ocloc%/bin/ocloc}/lib/x86_64-linux-gnu:$work/lib"
        "$ocloc" compile -file "cl/$file.cl" \
            -device "$target" -options "-cl-std=CL1.2 -Icl $options" --format zebin \
            -output_no_suffix -output k -out_dir "$base.d" >"$base.log" 2>&1 || fail
        # The probes enable extensions that an older OpenCL C has under another name.
        grep -vE ' regs and spilled around |unsupported OpenCL extension' "$base.log" | grep -qiE 'error|warning' && fail
        if [ "$unit" != 0 ] && [ -n "$iga" ]; then
            mkdir "$base.d/asm"
            "$ocloc" disasm -file "$base.d/k" -device "$target" -dump "$base.d/asm" >"$base.asm.log" 2>&1 ||
                { cat "$base.asm.log" >>"$base.log"; fail; }
            find "$base.d/asm" -name '.text.*.asm' | while read -r text; do
                echo "${text#"$base.d/asm/"}" | sed 's/\.asm$/:/'
                cat "$text"
            done | matrix_of ' dpasw?\.' '^\.text\.' >"$base.matrix"
        fi
        { grep ' regs and spilled around ' "$base.log"; readelf -p .ze_info "$base.d/k" 2>/dev/null | sed 's/\\n$//'; } | awk -v target="$target" '
            function flush() {
                if (name != "")
                    print name "\t" registers "\t" spilled[name] * (target == "pvc" ? 64 : 32) / width "\t" private "\t" local_bytes "\t-\t" width
                name = ""
            }
            / regs and spilled around / { spilled[$3] = $NF; next }
            /kernels_misc_info:/ { flush(); exit }
            /- name:/ { flush(); name = $3; registers = private = local_bytes = width = 0 }
            /grf_count:/ { registers = $2 }
            /simd_size:/ { width = $2 }
            /slm_size:/ { local_bytes = $2 }
            /usage:/ { usage = $2 }
            /- (arg_)?type:/ { usage = "" }
            / size:/ && usage == "private_space" { private = $2 }
            END { flush() }' | emit "$target" ;;
esac
[ -s "$base.rows" ] || { echo "no kernel in the compiler's output" >>"$base.log"; fail; }
cat "$base.rows" >>"$work/results"
rm -rf "$base".*
