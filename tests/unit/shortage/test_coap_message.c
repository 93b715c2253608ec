/* The message layer of CoAP without memory: who is proven and finds none hears 5.03, nothing is half remembered, and
 * what comes after it is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fake_shortage.h"
#include "fronts/fake_coap_link.h"

static const uint8_t get_bytes[] = {0x41, CG_GET, 0, 7, 'T'};

static void before(void *ctx) { *(struct fake_link **)ctx = fake_link_new(&(struct cg_coap_messages_options){0}); }

/* A request that is answered, one that is held, and responses of both kinds to that. */
static void act(void *ctx) {
    struct fake_link *link = *(struct fake_link **)ctx;
    const struct cg_coap_message response = {.code = CG_CODE(2, 5), .token = cg_slice_of("T", 1)};
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_message(link, CG_CON, CG_GET, 7, response.token);
    assert_int_equal(link->sent_count, 1); /* the answer, or 5.03 */
    link->from = "192.0.2.2:4000";
    link->does = FAKE_FRONT_HOLDS;
    fake_link_message(link, CG_CON, CG_GET, 7, response.token);
    assert_int_equal(link->sent_count, 2);
    if (link->peer == NULL || link->requests == 0) return;
    struct cg_coap_peer *peer = link->peer;
    if (!cg_coap_peer_is_held(peer)) return;
    int by_non = cg_coap_peer_send(peer, &response, CG_NON), by_con = cg_coap_peer_send(peer, &response, CG_CON);
    assert_int_equal(by_non, CG_OK);
    assert_true(by_con == CG_OK || by_con == CG_E_NO_MEMORY);
    fake_link_message(link, CG_RST, CG_EMPTY, 0x7f7f, CG_SLICE_NONE);
    cg_coap_peer_release(peer);
}

static void after(void *ctx) {
    struct fake_link *link = *(struct fake_link **)ctx;
    link->from = "192.0.2.3:4000";
    link->does = FAKE_FRONT_ANSWERS;
    fake_link_bring(link, cg_slice_of(get_bytes, sizeof get_bytes));
    assert_int_equal(fake_link_last(link).code, CG_CODE(2, 5));
    fake_link_free(link);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    struct fake_link *link;
    const struct shortage_scenario scenario = {.before = before, .act = act, .after = after};
    for (unsigned more = 0; more <= 3; more += 3) assert_true(shortage_every(&scenario, &link, more) > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    shortage_init();
    return cmocka_run_group_tests_name("shortage/coap_message", tests, NULL, NULL);
}
