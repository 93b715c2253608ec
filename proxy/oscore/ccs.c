/* Why: the credential names a key and its algorithm; everything else in it is none of our business. Hard: it comes from
 * an administrator's file or a Group Manager, so it is hostile; a map that says one thing twice is refused, not
 * resolved. */
#include "oscore/ccs.h"
#include "wire/cbor.h"

enum {
    DEPTH_MAX = 8,
    CLAIM_CNF = 8,
    CNF_COSE_KEY = 1,
    KEY_KTY = 1,
    KEY_ALG = 3,
    KEY_CRV = -1,
    KEY_X = -2,
    KEY_Y = -3,
    KEY_D = -4,
    KTY_OKP = 1,
    KTY_EC2 = 2,
};

static int next_map(struct cg_slice *rest, uint64_t *pairs) {
    struct cg_cbor_item item;
    int err = cg_cbor_next(rest, &item);
    if (err != CG_OK || item.major != CG_CBOR_MAP) return CG_E_FORMAT;
    *pairs = item.number;
    return CG_OK;
}

/* The encoded value of `label` in the map at the start of *rest; the whole map is taken off. An absent label gives an
 * empty slice. */
static int find_in_map(struct cg_slice *rest, int64_t label, struct cg_slice *value) {
    uint64_t pairs;
    int err = next_map(rest, &pairs);
    *value = CG_SLICE_NONE;
    for (; err == CG_OK && pairs > 0; pairs--) {
        struct cg_cbor_item name, item;
        err = cg_cbor_next(rest, &name);
        if (err == CG_OK) err = cg_cbor_skip(rest, &name, DEPTH_MAX);
        const uint8_t *start = rest->data;
        if (err == CG_OK) err = cg_cbor_next(rest, &item);
        if (err == CG_OK) err = cg_cbor_skip(rest, &item, DEPTH_MAX);
        if (err != CG_OK || !cg_cbor_is_int(&name, label)) continue;
        if (value->len > 0) return CG_E_FORMAT;
        *value = cg_slice_of(start, (size_t)(rest->data - start));
    }
    return err;
}

static int read_int(const struct cg_cbor_item *item, int *number) {
    if (item->number > INT32_MAX - 1) return CG_E_KEY;
    if (item->major == CG_CBOR_UINT)
        *number = (int)item->number;
    else if (item->major == CG_CBOR_NEGATIVE)
        *number = -1 - (int)item->number;
    else
        return CG_E_KEY;
    return CG_OK;
}

static int read_coordinate(const struct cg_cbor_item *item, struct cg_slice *bytes) {
    if (item->major != CG_CBOR_BYTES || item->bytes.len != 32) return CG_E_KEY;
    *bytes = item->bytes;
    return CG_OK;
}

/* RFC 9053 §7.1.1: y is a byte string, or a bool that is the sign bit. */
static int read_y(const struct cg_cbor_item *item, struct cg_ccs *ccs) {
    if (item->major != CG_CBOR_SIMPLE) return read_coordinate(item, &ccs->y);
    if (item->number != CG_CBOR_TRUE && item->number != CG_CBOR_FALSE) return CG_E_KEY;
    ccs->y_is_odd = item->number == CG_CBOR_TRUE;
    return CG_OK;
}

static int64_t label_of(const struct cg_cbor_item *item) {
    int number;
    return (item->major == CG_CBOR_UINT || item->major == CG_CBOR_NEGATIVE) && read_int(item, &number) == CG_OK ? number
                                                                                                                : 0;
}

/* A bit for each label that is read, to notice repetitions; 0 for those that are not. */
static unsigned label_bit(int64_t label) {
    switch (label) {
    case KEY_KTY: return 1u << 0;
    case KEY_ALG: return 1u << 1;
    case KEY_CRV: return 1u << 2;
    case KEY_X: return 1u << 3;
    case KEY_Y: return 1u << 4;
    case KEY_D: return 1u << 5;
    default: return 0;
    }
}

static int check_key(const struct cg_ccs *ccs, int kty, int crv, bool has_y) {
    bool okp = kty == KTY_OKP && (crv == CG_CURVE_ED25519 || crv == CG_CURVE_X25519);
    bool ec2 = kty == KTY_EC2 && crv == CG_CURVE_P256;
    return ccs->x.len == 32 && ((okp && !has_y) || (ec2 && has_y)) ? CG_OK : CG_E_KEY;
}

static int parse_key(struct cg_ccs *ccs, struct cg_slice rest) {
    uint64_t pairs;
    unsigned seen = 0;
    int kty = 0, crv = 0, err = next_map(&rest, &pairs);
    for (; err == CG_OK && pairs > 0; pairs--) {
        struct cg_cbor_item name, item;
        err = cg_cbor_next(&rest, &name);
        if (err == CG_OK) err = cg_cbor_skip(&rest, &name, DEPTH_MAX);
        if (err == CG_OK) err = cg_cbor_next(&rest, &item);
        if (err != CG_OK) break;
        int64_t label = label_of(&name);
        if (seen & label_bit(label)) return CG_E_FORMAT;
        seen |= label_bit(label);
        switch (label) {
        case KEY_KTY: err = read_int(&item, &kty); break;
        case KEY_ALG: err = read_int(&item, &ccs->alg); break;
        case KEY_CRV: err = read_int(&item, &crv); break;
        case KEY_X: err = read_coordinate(&item, &ccs->x); break;
        case KEY_Y: err = read_y(&item, ccs); break;
        case KEY_D: err = CG_E_KEY; break;
        default: break;
        }
        if (err == CG_OK) err = cg_cbor_skip(&rest, &item, DEPTH_MAX);
    }
    if (err == CG_OK) err = check_key(ccs, kty, crv, (seen & label_bit(KEY_Y)) != 0);
    ccs->curve = (enum cg_cose_curve)crv;
    return err;
}

int cg_ccs_parse(struct cg_ccs *ccs, struct cg_slice cred) {
    memset(ccs, 0, sizeof(*ccs));
    if (cred.len > CG_CRED_MAX) return CG_E_TOO_BIG;
    struct cg_slice rest = cred, cnf, key;
    int err = find_in_map(&rest, CLAIM_CNF, &cnf);
    if (err == CG_OK && (rest.len > 0 || cnf.len == 0)) err = CG_E_FORMAT;
    if (err == CG_OK) err = find_in_map(&cnf, CNF_COSE_KEY, &key);
    if (err == CG_OK && key.len == 0) err = CG_E_FORMAT;
    if (err == CG_OK) err = parse_key(ccs, key);
    return err;
}
