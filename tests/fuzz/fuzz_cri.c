/* CRIs: hostile CBOR becomes a URI that means the same or nothing, and what is emitted for an address comes back as
 * that address. */
#include "input.h"

#include "base/text.h"
#include "wire/cri.h"

static void check_emit(const struct cg_addr *addr) {
    uint8_t bytes[CG_CRI_ADDR_MAX];
    struct cg_slice cri = input_exact(cg_slice_of(bytes, cg_cri_emit_addr(bytes, addr)));
    struct cg_buf text;
    struct cg_uri uri;
    cg_buf_init(&text, 0);
    CG_CHECK(cg_cri_parse(cri, &text) == CG_OK);
    int err = cg_uri_parse(&uri, cg_buf_slice(&text), NULL);
    CG_CHECK(err == CG_OK || addr->port == 0);
    if (err == CG_OK) {
        struct cg_addr without_zone = *addr;
        without_zone.scope = 0;
        CG_CHECK(cg_addr_equal(&uri.addr, &without_zone));
        CG_CHECK(uri.scheme == CG_SCHEME_COAP && uri.path.len == 0 && !uri.has_query);
    }
    cg_buf_fini(&text);
    input_free(cri);
}

static void check_uri(struct cg_slice text) {
    struct cg_uri uri;
    struct cg_opts opts;
    struct cg_arena arena;
    if (cg_uri_parse(&uri, text, NULL) < 0) return; /* an empty host, port 0, a name that looks like an address */
    cg_arena_init(&arena, SIZE_MAX, NULL);
    int err = cg_uri_decompose(&opts, &arena, uri.path, CG_SLICE_NONE, uri.query, CG_SLICE_NONE);
    CG_CHECK(err == CG_OK || err == CG_E_BAD_URI); /* a segment above 255 bytes */
    if (uri.addr.family != CG_FAMILY_NONE) check_emit(&uri.addr);
    cg_arena_fini(&arena);
}

static void check_addr(struct input *input) {
    struct cg_addr addr = {.family = input_u8(input) & 1 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4};
    addr.port = input_u16(input);
    struct cg_slice ip = input_bytes(input, addr.family == CG_FAMILY_IPV4 ? 4 : 16);
    if (ip.len > 0) memcpy(addr.ip, ip.data, ip.len);
    check_emit(&addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_slice cbor = cg_slice_of(data, size);
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "before ");
    int err = cg_cri_parse(cbor, &text);
    CG_CHECK(err == CG_OK || ((err == CG_E_BAD_URI || err == CG_E_PROXYING) && text.len == strlen("before ")));
    CG_CHECK(memcmp(text.data, "before ", strlen("before ")) == 0);
    if (err == CG_OK) {
        struct cg_slice uri = input_exact(cg_slice_of(text.data + 7, text.len - 7));
        for (size_t i = 0; i < uri.len; i++) CG_CHECK(uri.data[i] > ' ' && uri.data[i] < 0x7f);
        check_uri(uri);
        input_free(uri);
    }
    cg_buf_fini(&text);
    check_addr(&(struct input){data, size});
    return 0;
}
