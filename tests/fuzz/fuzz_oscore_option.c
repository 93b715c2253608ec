/* The OSCORE option's value: whatever is accepted has exactly that one encoding. */
#include "input.h"

#include "oscore/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_oscore_option option;
    uint8_t again[CG_OSCORE_OPTION_MAX];
    if (cg_oscore_option_parse(&option, cg_slice_of(data, size)) != CG_OK) return 0;
    int len = cg_oscore_option_emit(again, &option);
    CG_CHECK(len >= 0 && (size_t)len == size && (size == 0 || memcmp(again, data, size) == 0));
    if (option.piv.len > 0) {
        uint8_t piv[CG_OSCORE_PIV_MAX];
        size_t piv_len = cg_oscore_piv_emit(piv, cg_oscore_piv_parse(option.piv));
        CG_CHECK(piv_len == option.piv.len && memcmp(piv, option.piv.data, piv_len) == 0);
    }
    return 0;
}
