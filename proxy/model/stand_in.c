/* Which member a path names. The hard thing: a name may be an address, whose brackets and zone are percent-encoded in
 * one client's path and not in another's, so names are compared decoded. */
#include "model/stand_in.h"

#include "base/text.h"
#include "model/mapping.h"
#include "wire/uri.h"

enum { DECODED_MAX = CG_NAME_MAX > CG_ADDR_TEXT_MAX ? CG_NAME_MAX : CG_ADDR_TEXT_MAX };

/* The byte that `raw` begins with, decoded; *raw is what follows it. A bad encoding stands for itself. */
static uint8_t next_byte(struct cg_slice *raw) {
    int high = raw->len < 3 || raw->data[0] != '%' ? -1 : cg_hex_digit(raw->data[1]);
    int low = high < 0 ? -1 : cg_hex_digit(raw->data[2]);
    uint8_t byte = low < 0 ? raw->data[0] : (uint8_t)(high << 4 | low);
    size_t step = low < 0 ? 1 : 3;
    *raw = cg_slice_of(raw->data + step, raw->len - step);
    return byte;
}

/* Its first DECODED_MAX bytes and one more: no name is longer. */
static struct cg_slice decode(struct cg_slice raw, uint8_t to[DECODED_MAX + 1]) {
    size_t len = 0;
    while (raw.len > 0 && len <= DECODED_MAX) to[len++] = next_byte(&raw);
    return cg_slice_of(to, len);
}

bool cg_stand_in_is_marker(struct cg_slice segment) {
    uint8_t decoded[DECODED_MAX + 1];
    return cg_slice_is(decode(segment, decoded), CG_STAND_IN_MARKER);
}

/* Of a path that is empty or begins with '/': its first segment, and what follows it. */
static struct cg_slice first_segment(struct cg_slice path, struct cg_slice *rest) {
    size_t end = 1;
    if (path.len == 0) {
        *rest = path;
        return path;
    }
    while (end < path.len && path.data[end] != '/') end++;
    *rest = cg_slice_of(path.data + end, path.len - end);
    return cg_slice_of(path.data + 1, end - 1);
}

bool cg_stand_in_split(struct cg_slice *rest, struct cg_slice *name) {
    struct cg_slice behind, segment = first_segment(*rest, &behind);
    if (!cg_stand_in_is_marker(segment)) return false;
    *name = first_segment(behind, rest);
    return true;
}

const struct cg_member *cg_stand_in_find(const struct cg_mapping *mapping, struct cg_slice segment) {
    uint8_t decoded[DECODED_MAX + 1];
    return cg_mapping_member(mapping, decode(segment, decoded));
}
