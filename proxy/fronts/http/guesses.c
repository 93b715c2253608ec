/* The hard thing: a flood comes from as many sources as its sender has, so rows are kept in a table of fixed size,
 * where a newer one takes an older one's place; what binds then is the budget of all. */
#include "fronts/http/guesses.h"

void cg_guesses_init(struct cg_guesses *guesses, uint64_t now_us) {
    *guesses = (struct cg_guesses){.all = {.left = CG_GUESSES_BURST, .filled_us = now_us}};
}

/* Whoever has a network of 2^64 addresses is one source. */
static struct cg_addr source_of(const struct cg_addr *from) {
    struct cg_addr source = {.family = from->family};
    memcpy(source.ip, from->ip, from->family == CG_FAMILY_IPV6 ? 8 : 4);
    return source;
}

static struct cg_guesses_of *row_of(struct cg_guesses *guesses, const struct cg_addr *source, uint64_t now_us) {
    struct cg_guesses_of *row = &guesses->rows[cg_addr_hash(source) % CG_GUESSES_ROWS];
    if (cg_addr_equal(&row->from, source)) return row;
    guesses->untold += row->untold;
    guesses->waiting -= row->untold > 0;
    *row = (struct cg_guesses_of){.from = *source, .allowance = {.left = CG_GUESSES_OF_ONE, .filled_us = now_us}};
    return row;
}

static uint32_t seconds_until(uint64_t wait_us) { return (uint32_t)((wait_us + 999998) / 1000000); }

int cg_guesses_note(struct cg_guesses *guesses, const struct cg_addr *from, uint64_t now_us,
                    struct cg_problem *problem) {
    const struct cg_addr source = source_of(from);
    struct cg_guesses_of *row = row_of(guesses, &source, now_us);
    guesses->waiting += row->untold == 0;
    row->untold++;
    cg_allowance_fill(&guesses->all, CG_GUESSES_BURST, CG_GUESSES_RATE, now_us);
    cg_allowance_fill(&row->allowance, CG_GUESSES_OF_ONE, CG_GUESSES_ONE_RATE, now_us);
    uint64_t wait_us = cg_allowance_wait_us(&row->allowance, 1, CG_GUESSES_ONE_RATE);
    uint64_t of_all_us = cg_allowance_wait_us(&guesses->all, 1, CG_GUESSES_RATE);
    if (of_all_us > wait_us) wait_us = of_all_us;
    if (wait_us == 0) {
        row->allowance.left -= 1;
        guesses->all.left -= 1;
        return problem->err;
    }
    problem->retry_after = seconds_until(wait_us);
    return cg_problem_set(problem, CG_E_RATE,
                          "too many logins have failed from there: wait; a token that is good is taken at once");
}

static bool is_due(const struct cg_guesses_of *row, uint64_t now_us) {
    return row->untold > 0 && (row->told_us == 0 || now_us - row->told_us >= CG_GUESSES_TOLD_US);
}

bool cg_guesses_tell(struct cg_guesses *guesses, size_t *place, uint64_t now_us, struct cg_guesses_told *told) {
    for (; *place < CG_GUESSES_ROWS; ++*place) {
        struct cg_guesses_of *row = &guesses->rows[*place];
        if (!is_due(row, now_us)) continue;
        *told = (struct cg_guesses_told){.from = row->from, .count = row->untold};
        row->untold = 0;
        row->told_us = now_us;
        guesses->waiting--;
        return true;
    }
    *told = (struct cg_guesses_told){.count = guesses->untold};
    guesses->untold = 0;
    return told->count > 0;
}
