/* Link-format (RFC 6690 §2): a list of links with attributes, read one after another from bytes that anybody may have
 * sent. Nothing is allocated; slices borrow from the text. Blanks around commas and semicolons are passed over, though
 * the grammar has none. What is read is no UTF-8 and no URI by that alone. */
#ifndef CG_WIRE_LINK_FORMAT_H
#define CG_WIRE_LINK_FORMAT_H

#include "base/slice.h"

struct cg_link_reader {
    struct cg_slice left; /* what is still to be read */
    int err;              /* CG_E_FORMAT: what is left is no link-format; CG_OK else */
};

struct cg_link {
    struct cg_slice target;     /* between '<' and '>', as it is: no blanks, quotes or control characters */
    struct cg_slice attributes; /* what follows, well-formed: for cg_link_next_attribute */
};

struct cg_link_attribute {
    struct cg_slice name;  /* never empty */
    struct cg_slice value; /* without quotes, escapes left in it where is_quoted; empty where has_value is false */
    bool has_value, is_quoted;
};

void cg_link_reader_init(struct cg_link_reader *reader, struct cg_slice text);
/* False: there are no more, or what follows is malformed (reader->err). */
bool cg_link_next(struct cg_link_reader *reader, struct cg_link *link);
/* Takes the first one off the attributes. False: there is none left. */
bool cg_link_next_attribute(struct cg_slice *attributes, struct cg_link_attribute *attribute);
/* The attribute's value unescaped into `to`, without a NUL; the length, which is above `size` where it did not fit. */
size_t cg_link_unquote(const struct cg_link_attribute *attribute, char *to, size_t size);
/* Whether one of the blank-separated values of that attribute (rt, if, …) is `value`, or begins with it where it ends
 * with '*'. */
bool cg_link_has(const struct cg_link *link, const char *name, const char *value);

#endif
