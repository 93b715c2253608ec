/* The running gateway: what it is made of, for the files that start, reload and end it. */
#ifndef CG_APP_PROGRAM_H
#define CG_APP_PROGRAM_H

#include "app/catalogue.h"
#include "app/claims.h"
#include "app/client_claims.h"
#include "app/control.h"
#include "app/expiry.h"
#include "app/first_token.h"
#include "app/fronts.h"
#include "app/groups.h"
#include "app/keeper.h"
#include "app/listeners.h"
#include "app/notify.h"
#include "app/plugins.h"
#include "app/stock.h"
#include "inbound/inbound.h"
#include "jobs/discovery.h"
#include "jobs/reactions.h"
#include "jobs/reports.h"
#include "jobs/warming.h"
#include "hops/connections.h"
#include "io/log_writer.h"
#include "io/loop.h"
#include "manage/manage.h"
#include "recorder/figures.h"
#include "recorder/recorder.h"

enum cg_reload_cause {
    CG_RELOAD_ASKED_FOR,
    CG_RELOAD_FOR_STOCK, /* what is stored could not be read before; still so: nothing else is read */
};

struct cg_reload {
    enum cg_reload_cause cause;
    uv_timer_t retry; /* for what is stored */
    struct cg_manage_turn turn;
    struct cg_proposal proposal;
    struct cg_stock stock; /* while it is read once more */
    struct cg_work work;
    bool is_wanted; /* it waits for its turn or has it */
    bool again;     /* asked for while it ran: the file may have changed meanwhile */
};

struct cg_program {
    const char *file;
    struct cg_notify notify; /* the service manager */
    struct cg_log_writer *log;
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_claims claims;
    struct cg_client_claims client_claims;
    struct cg_names *names;
    struct cg_hop_connections *hops;
    struct cg_worker *worker;
    struct cg_worker *disk; /* for what is stored: whoever waits for a disk waits there */
    struct cg_manage *manage;
    struct cg_problem stock_problem; /* why what is stored is not in use; err 0: it is */
    struct cg_app_catalogue catalogue;
    struct cg_app_groups groups; /* security groups that are stored */
    struct cg_reload reload;
    struct cg_plugins plugins;
    void *fronts[CG_FRONTS_MAX]; /* app/fronts.c */
    struct cg_listeners listeners;
    struct cg_inbound *inbound; /* of members' own requests */
    struct cg_control *control;
    struct cg_warming *warming;
    struct cg_reactions *reactions; /* what follows these */
    struct cg_reports *reports;     /* handed on */
    struct cg_discoveries *discoveries;
    struct cg_recorder *recorder;
    struct cg_figures *figures;
    struct cg_keeper *keeper; /* of what is known of members */
    struct cg_expiry expiry;
    struct cg_first_token first_token;
    uv_timer_t ending;   /* while stopping: looks whether all is done */
    uv_timer_t deadline; /* while stopping: the store's thread may wait for its disk for longer */
    uint64_t stopped_us; /* when the end began; 0: running */
    unsigned threads; /* while closing: those of the stores, the workers, the keeper and the control socket that are not
                         done */
    bool is_closing;
    bool finished_early; /* the exchanges were told to end with what they have */
};

/* Reads the settings file again, which takes a while; mistakes leave all as it was. */
void cg_program_reload(struct cg_program *program);
void cg_program_init_reload(struct cg_program *program);

/* To the service manager: it serves, with these settings. */
void cg_program_tell_ready(struct cg_program *program);

/* Of sequence numbers; opened where nobody has needed it so far. NULL: no memory, or the program ends. */
struct cg_store *cg_program_store(struct cg_program *program);

/* The end, when it is asked for: the running exchanges first. */
void cg_program_init_end(struct cg_program *program);
void cg_program_stop(struct cg_program *program); /* without effect the second time */
/* At once: the loop ends when all is closed. */
void cg_program_close(struct cg_program *program);

#endif
