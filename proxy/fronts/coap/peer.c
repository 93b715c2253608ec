/* The front's side of peers: what is the same for all is here, the rest is their layer's. */
#include "base/check.h"
#include "fronts/coap/layer.h"

void cg_coap_peer_answer(struct cg_coap_peer *peer, const struct cg_coap_message *response) {
    peer->layer->answer(peer, response);
}

void cg_coap_peer_expect(struct cg_coap_peer *peer) { peer->layer->expect(peer); }

void cg_coap_peer_ignore(struct cg_coap_peer *peer) { peer->layer->ignore(peer); }

int cg_coap_peer_send(struct cg_coap_peer *peer, const struct cg_coap_message *response, enum cg_type type) {
    CG_CHECK(type == CG_CON || type == CG_NON);
    return peer->layer->send(peer, response, type);
}

void cg_coap_peer_hold(struct cg_coap_peer *peer) {
    peer->holds++;
    peer->layer->settle(peer);
}

void cg_coap_peer_release(struct cg_coap_peer *peer) {
    CG_CHECK(peer->holds > 0);
    peer->holds--;
    peer->layer->settle(peer);
}

void cg_coap_peer_hold_for(struct cg_coap_peer *peer, struct cg_slice token) {
    if (peer->layer->begun != NULL) peer->layer->begun(peer, token);
    cg_coap_peer_hold(peer);
}

void cg_coap_peer_release_for(struct cg_coap_peer *peer, struct cg_slice token) {
    if (peer->layer->ended != NULL) peer->layer->ended(peer, token);
    cg_coap_peer_release(peer);
}

bool cg_coap_peer_is_held(const struct cg_coap_peer *peer) { return peer->holds > 0; }

void cg_coap_peer_prove(struct cg_coap_peer *peer) { peer->layer->prove(peer); }

size_t cg_coap_peer_room(const struct cg_coap_peer *peer) { return peer->layer->room(peer); }

const struct cg_addr *cg_coap_peer_addr(const struct cg_coap_peer *peer) { return &peer->path.from; }

const struct cg_addr *cg_coap_peer_local(const struct cg_coap_peer *peer) { return &peer->path.to; }

const struct cg_listen *cg_coap_peer_listen(const struct cg_coap_peer *peer) { return peer->path.transport->listen; }

enum cg_coap_proof cg_coap_peer_proof(const struct cg_coap_peer *peer) { return peer->path.proof; }

enum cg_cri_scheme cg_coap_peer_scheme(const struct cg_coap_peer *peer) { return peer->path.transport->ops->scheme; }

void **cg_coap_peer_place(struct cg_coap_peer *peer) { return &peer->place; }

int cg_coap_peer_identify(const struct cg_coap_peer *peer, const struct cg_config *config, struct cg_request *request,
                          struct cg_problem *problem) {
    const struct cg_coap_transport_ops *ops = peer->path.transport->ops;
    return ops->identify == NULL ? CG_OK : ops->identify(&peer->path, config, request, problem);
}
