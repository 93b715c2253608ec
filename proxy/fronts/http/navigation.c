/* The hard thing is the link: a target is a path by itself, but one that begins with two slashes would be another host
 * in a page. */
#include "fronts/http/navigation.h"

#include "base/html.h"
#include "base/text.h"

static void put_reference(struct cg_buf *to, struct cg_slice target) {
    if (cg_slice_starts(target, "//")) cg_buf_put_str(to, "/.");
    cg_html_put(to, target);
}

void cg_navigation_page(struct cg_buf *to, const char *mapping, struct cg_slice target) {
    cg_html_begin(to, cg_slice_str(mapping));
    cg_buf_put_str(to, "<p>A link on another site led here. Nothing was sent to the group <b>");
    cg_html_put(to, cg_slice_str(mapping));
    cg_buf_put_str(to, "</b>.</p>\n<p><a href=\"");
    put_reference(to, target);
    cg_buf_put_str(to, "\">Send the request now</a></p>\n<p><small>GET ");
    cg_html_put(to, target);
    cg_buf_put_str(to, "</small></p>\n");
    cg_html_end(to);
}
