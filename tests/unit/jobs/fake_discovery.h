/* A discovery in a whole core with a fake clock: a test says what members answer to which request, and looks at the
 * result. */
#ifndef CG_TEST_FAKE_DISCOVERY_H
#define CG_TEST_FAKE_DISCOVERY_H

#include "exchange/fake_world.h"
#include "jobs/discovery.h"

struct search {
    struct world world;
    struct cg_discoveries *discoveries;
    struct cg_discovery *job;
    unsigned done;
    size_t looked_at; /* emissions that search_sent has given out */
};

int search_setup(void **state);
int search_teardown(void **state);
#define search_test(test) cmocka_unit_test_setup_teardown(test, search_setup, search_teardown)

/* For so many seconds at the most. */
void search_begin(struct search *search, const char *where, const char *filter, uint32_t seconds);
const struct cg_found *search_found(const struct search *search);
/* Until it is done; its result. */
const struct cg_found *search_finish(struct search *search);

/* The next datagram that went out, within ten seconds: its index. Pings are answered where `search_lives_at` says. */
size_t search_sent(struct search *search);
void search_nothing_sent(struct search *search);
/* "GET 224.0.1.187:5683 /.well-known/core?rt=core.rd*". */
const char *search_said(struct search *search, size_t index);

/* Link-format, 2.05. A block of 64 bytes and the next, of a longer one. */
void search_links(struct search *search, size_t index, const char *from, const char *links);
void search_block(struct search *search, size_t index, const char *from, const char *links, uint32_t number);
void search_answer(struct search *search, size_t index, const char *from, uint8_t code, uint16_t format,
                   const char *payload);
/* The empty message that answers a ping, emission `index`. */
void search_pong(struct search *search, size_t index);

const struct cg_found_node *search_node(const struct search *search, const char *at);
#define assert_slice(slice, text) assert_slice_is(slice, text, __FILE__, __LINE__)
void assert_slice_is(struct cg_slice slice, const char *text, const char *file, int line);

#endif
