/* Blocks as messages. The hard thing: how long the options are decides how large a block may be, and says so itself; so
 * sizes are tried from the largest: many blocks in one message first, where the client has asked so. */
#include "fronts/coap/serve.h"

#include "fronts/coap/cut.h"

/* What stands in every response, whether it has all of the payload or a block of it. */
static struct cg_to_coap options_of(const struct cg_coap_serve *serve) {
    return (struct cg_to_coap){.numbers = serve->numbers,
                               .options = serve->options,
                               .reply_from = serve->reply_from,
                               .group_etag = serve->group_etag,
                               .block1 = serve->block1};
}

static int emit(const struct cg_coap_serve *serve, const struct cg_coap_cut *cut, uint8_t *bytes,
                struct cg_coap_message *message) {
    struct cg_to_coap to = options_of(serve);
    to.block2 = cut->is_block ? &cut->block : NULL;
    to.etag = cut->is_block ? serve->etag : CG_SLICE_NONE;
    to.size2 = cut->block.number == 0 ? (uint32_t)serve->payload.len : 0;
    int len = cg_to_coap_options(&to, bytes, CG_COAP_OPTIONS_MAX);
    if (len < 0) return len;
    *message = (struct cg_coap_message){
        .code = serve->code, .token = serve->token, .options = cg_slice_of(bytes, (size_t)len), .payload = cut->part};
    if (cg_to_coap_size(message) > serve->room) return CG_E_TOO_BIG;
    return cut->is_block && cut->block.more;
}

static int emit_block(const struct cg_coap_serve *serve, uint8_t szx, uint8_t *bytes, struct cg_coap_message *message) {
    struct cg_coap_cut cut;
    int err = cg_coap_cut(serve->payload, serve->block2, szx, &cut);
    return err < 0 ? err : emit(serve, &cut, bytes, message);
}

/* What the options leave is seldom less than a block more. */
static int emit_bert(const struct cg_coap_serve *serve, uint8_t *bytes, struct cg_coap_message *message) {
    struct cg_coap_cut cut;
    int result = CG_E_TOO_BIG;
    if (serve->block2 == NULL || serve->block2->szx != CG_BLOCK_SZX_BERT) return CG_E_TOO_BIG;
    for (size_t room = serve->room; result == CG_E_TOO_BIG; room -= cg_block_size(serve->block2)) {
        int err = cg_coap_cut_bert(serve->payload, serve->block2, room, &cut);
        if (err < 0) return err;
        result = emit(serve, &cut, bytes, message);
    }
    return result;
}

/* Where messages are larger than blocks, and none was asked for. */
static int emit_whole(const struct cg_coap_serve *serve, uint8_t *bytes, struct cg_coap_message *message) {
    const struct cg_to_coap to = options_of(serve);
    if (serve->block2 != NULL || serve->room <= CG_COAP_MESSAGE_MAX) return CG_E_TOO_BIG;
    int len = cg_to_coap_options(&to, bytes, CG_COAP_OPTIONS_MAX);
    if (len < 0) return len;
    *message = (struct cg_coap_message){.code = serve->code,
                                        .token = serve->token,
                                        .options = cg_slice_of(bytes, (size_t)len),
                                        .payload = serve->payload};
    return cg_to_coap_size(message) <= serve->room ? CG_OK : CG_E_TOO_BIG;
}

int cg_coap_serve(const struct cg_coap_serve *serve, uint8_t *bytes, struct cg_coap_message *message) {
    int result = emit_whole(serve, bytes, message);
    if (result == CG_E_TOO_BIG) result = emit_bert(serve, bytes, message);
    for (int szx = CG_BLOCK_SZX_MAX; result == CG_E_TOO_BIG && szx >= 0; szx--) {
        result = emit_block(serve, (uint8_t)szx, bytes, message);
    }
    return result;
}
