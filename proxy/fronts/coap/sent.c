/* Runs of Message IDs. The hard thing is only that they wrap around. */
#include "fronts/coap/sent.h"

#include <stdlib.h>

static bool goes_on(const struct cg_coap_run *run, uint16_t mid, struct cg_slice token) {
    return run != NULL && run->count < UINT16_MAX && (uint16_t)(run->first + run->count) == mid &&
           cg_slice_equal(cg_slice_of(run->token, run->token_len), token);
}

static void drop_oldest(struct cg_coap_sent *sent) {
    struct cg_coap_run **at = &sent->newest;
    while ((*at)->next != NULL) at = &(*at)->next;
    free(*at);
    *at = NULL;
    sent->count--;
}

void cg_coap_sent_note(struct cg_coap_sent *sent, uint16_t mid, struct cg_slice token) {
    if (goes_on(sent->newest, mid, token)) {
        sent->newest->count++;
        return;
    }
    struct cg_coap_run *run = malloc(sizeof *run + token.len);
    if (run == NULL) return;
    *run = (struct cg_coap_run){.next = sent->newest, .first = mid, .count = 1, .token_len = (uint8_t)token.len};
    if (token.len > 0) memcpy(run->token, token.data, token.len);
    sent->newest = run;
    if (++sent->count > CG_COAP_RUNS_MAX) drop_oldest(sent);
}

bool cg_coap_sent_find(const struct cg_coap_sent *sent, uint16_t mid, struct cg_slice *token) {
    for (const struct cg_coap_run *run = sent->newest; run != NULL; run = run->next) {
        if ((uint16_t)(mid - run->first) >= run->count) continue;
        *token = cg_slice_of(run->token, run->token_len);
        return true;
    }
    return false;
}

void cg_coap_sent_fini(struct cg_coap_sent *sent) {
    struct cg_coap_run *next;
    for (struct cg_coap_run *run = sent->newest; run != NULL; run = next) {
        next = run->next;
        free(run);
    }
    *sent = (struct cg_coap_sent){0};
}
