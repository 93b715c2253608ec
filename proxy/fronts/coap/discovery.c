/* Links as a response. Nothing is kept for further blocks: the list is made anew for each, and its ETag says whether it
 * still is the same one. */
#include "fronts/coap/discovery.h"

#include "base/check.h"
#include "fronts/coap/bodies.h"
#include "wire/content_format.h"

enum { OPTIONS_MAX = 8 /* bytes */ };

int cg_coap_discovery_response(struct cg_slice links, const struct cg_coap_serve *to, uint8_t *bytes,
                               struct cg_coap_message *message, struct cg_problem *problem) {
    struct cg_coap_serve serve = *to;
    uint8_t etag[CG_COAP_ETAG_MAX], options[OPTIONS_MAX];
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, options, sizeof options, 0);
    cg_msg_put_uint(&writer, CG_OPT_CONTENT_FORMAT, CG_FORMAT_LINKS);
    int len = cg_msg_end(&writer);
    CG_CHECK(len > 1);
    cg_coap_body_make_etag(etag, links);
    serve.code = CG_CODE(2, 5);
    serve.options = cg_slice_of(options + 1, (size_t)len - 1);
    serve.payload = links;
    serve.etag = cg_slice_of(etag, sizeof etag);
    int err = cg_coap_serve(&serve, bytes, message);
    return err < 0 ? cg_problem_set(problem, err, "the list of links has no such block") : CG_OK;
}
