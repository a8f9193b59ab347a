# SPDX-License-Identifier: MIT
# PyTorch's golden values with every GEMM provider in turn, for all that it can do; the rules' own choice is tested above.
foreach(golden dvae prior)
    foreach(provider tile block clblast thin plain)
        set(name models_golden_${golden}_${provider})
        add_test(NAME ${name} COMMAND test_models_golden_${golden})
        set_tests_properties(${name} PROPERTIES LABELS "models;golden;slow"
            ENVIRONMENT "${ENV_COMMON};DALLE_CL_GEMM=${provider}" SKIP_RETURN_CODE 77 TIMEOUT 900)
    endforeach()
endforeach()
