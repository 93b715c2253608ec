/* A member of a group, which is a server: a light at /light that GET reads and PUT turns "on" or "off".
 *
 * What is hard: it cannot know after a start which requests it took before. Its replay windows begin as lost, so
 * whoever asks first is challenged (Echo, RFC 9175) and shows by its next request that it is there now. */
#define _GNU_SOURCE
#include "group.h"
#include "net.h"
#include "numbers.h"

#include <err.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

enum { DATAGRAM = 65536, LEISURE_US = 50000 };

struct member {
    struct cg_oscore_context *context;
    struct numbers numbers;
    bool pairwise; /* answers group requests in pairwise mode, for the requester's eyes only */
    bool is_on;
    uint16_t mid;
    int own;
    struct { /* its latest answer to a Confirmable request, which comes again where the answer was lost */
        struct endpoint to;
        uint16_t mid;
        uint8_t bytes[DATAGRAM];
        size_t len;
    } answered;
};

/* RFC 7252 §5.4.1: what is critical and not understood is refused. */
static bool understands(const struct cg_msg *request) {
    struct cg_opt_iter iter;
    struct cg_opt option;
    cg_opt_iter_init(&iter, request);
    while (cg_opt_next(&iter, &option))
        if (cg_opt_is_critical(option.number) && option.number != CG_OPT_URI_HOST && option.number != CG_OPT_URI_PORT &&
            option.number != CG_OPT_URI_PATH && option.number != CG_OPT_OSCORE)
            return false;
    return true;
}

static bool is_light(const struct cg_msg *request) {
    struct cg_opt_iter iter;
    struct cg_opt option;
    bool found = false;
    cg_opt_iter_init(&iter, request);
    while (cg_opt_next(&iter, &option)) {
        if (option.number != CG_OPT_URI_PATH) continue;
        if (found || !cg_slice_is(option.value, "light")) return false;
        found = true;
    }
    return found;
}

static uint8_t act(struct member *member, const struct cg_msg *request) {
    if (!understands(request)) return CG_CODE(4, 2);
    if (!is_light(request)) return CG_CODE(4, 4);
    if (request->code == CG_GET) return CG_CODE(2, 5);
    if (request->code != CG_PUT) return CG_CODE(4, 5);
    if (!cg_slice_is(request->payload, "on") && !cg_slice_is(request->payload, "off")) return CG_CODE(4, 0);
    member->is_on = cg_slice_is(request->payload, "on");
    return CG_CODE(2, 4);
}

/* What is to be sealed for the request: an answer to what it asks, or a challenge. False: nothing, since whoever sent
 * it has not shown to be of the group, and a group request never gets an error from all that heard it. */
static bool respond(struct member *member, int err, const struct cg_msg *request, struct cg_oscore_opened *opened,
                    uint8_t options[CG_OSCORE_CHALLENGE_LEN], struct cg_msg *answer) {
    if (err == CG_E_REPLAY && opened->challenge) {
        cg_oscore_challenge(opened->peer, options, answer);
        return true;
    }
    if (err != CG_OK) {
        warnx("not answered: %s", cg_err_info(err)->text);
        return false;
    }
    answer->code = act(member, request);
    if (answer->code == CG_CODE(2, 5)) answer->payload = cg_slice_str(member->is_on ? "on" : "off");
    return true;
}

static bool is_repeat(const struct member *member, const struct cg_msg *sealed, const struct endpoint *from) {
    return sealed->type == CG_CON && member->answered.len > 0 && member->answered.mid == sealed->mid &&
           cg_slice_equal(cg_slice_of(&member->answered.to.addr, member->answered.to.len),
                          cg_slice_of(&from->addr, from->len));
}

/* Opens the request, acts, and seals what is to be said about it. */
static bool compose_answer(struct member *member, const struct cg_msg *sealed, const struct endpoint *from) {
    static uint8_t room[CG_OSCORE_OPEN_ROOM(DATAGRAM)];
    uint8_t options[CG_OSCORE_CHALLENGE_LEN];
    struct cg_msg request, answer = {.token = sealed->token};
    struct cg_oscore_opened opened;
    int err = cg_oscore_open_request(member->context, sealed, room, sizeof room, &request, &opened);
    if (!respond(member, err, &request, &opened, options, &answer)) return false;
    answer.type = sealed->type == CG_CON ? CG_ACK : CG_NON;
    answer.mid = sealed->type == CG_CON ? sealed->mid : member->mid++;
    /* Always a number of its own: before a restart the request's nonce may have been used for an answer already. */
    struct cg_oscore_reply reply = {.has_number = true, .number = numbers_take(&member->numbers)};
    if (member->pairwise || !opened.group_mode) reply.to = opened.peer;
    int len =
        cg_oscore_seal_response(member->context, &reply, &answer, member->answered.bytes, DATAGRAM, &opened.binding);
    if (len < 0) warnx("not answered: %s", cg_err_info(len)->text);
    member->answered.len = len < 0 ? 0 : (size_t)len;
    member->answered.mid = sealed->mid;
    member->answered.to = *from;
    return len >= 0;
}

static void serve(struct member *member, struct cg_slice datagram, const struct endpoint *from, bool is_multicast) {
    struct cg_msg sealed;
    if (cg_msg_parse(&sealed, datagram) != CG_OK || !cg_code_is_request(sealed.code)) return;
    if (!is_repeat(member, &sealed, from) && !compose_answer(member, &sealed, from)) return;
    /* RFC 7252 §8.2: not all at once. A device spreads its answers by the size of its group, without waiting. */
    if (is_multicast) usleep(randombytes_uniform(LEISURE_US));
    (void)sendto(member->own, member->answered.bytes, member->answered.len, 0, (const struct sockaddr *)&from->addr,
                 from->len);
}

static void receive(struct member *member, int fd) {
    static uint8_t datagram[DATAGRAM];
    struct endpoint from = {.len = sizeof from.addr};
    ssize_t len = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from.addr, &from.len);
    if (len >= 0) serve(member, cg_slice_of(datagram, (size_t)len), &from, fd != member->own);
}

int main(int argc, char **argv) {
    static struct member member;
    if (argc < 6) errx(2, "use: %s KEYS.json INTERFACE GROUP ADDRESS PORT [pairwise]", argv[0]);
    const struct endpoint group = endpoint_parse(argv[3], argv[5]), own = endpoint_parse(argv[4], argv[5]);
    member.pairwise = argc > 6;
    member.context = group_load(argv[1], CG_OSCORE_WINDOW_LOST);
    numbers_open(&member.numbers, argv[1]);
    member.own = socket_at(&own);
    member.mid = (uint16_t)randombytes_random();
    struct pollfd sockets[] = {{.fd = member.own, .events = POLLIN},
                               {.fd = socket_of_group(&group, interface_parse(argv[2])), .events = POLLIN}};
    puts("ready");
    fflush(stdout);
    while (poll(sockets, 2, -1) > 0)
        for (int i = 0; i < 2; i++)
            if (sockets[i].revents != 0) receive(&member, sockets[i].fd);
    err(1, "poll");
}
