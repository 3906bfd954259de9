/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * methods - the coroutine functions behind the methods of proto/PROTOCOL.md, one file each.
 */
#include "daemon/aio/co.h"

extern const struct aio_co_fn method_hello;
extern const struct aio_co_fn method_submit;
extern const struct aio_co_fn method_status;
extern const struct aio_co_fn method_task;
extern const struct aio_co_fn method_result;
extern const struct aio_co_fn method_await;
extern const struct aio_co_fn method_wait;
extern const struct aio_co_fn method_cancel;
extern const struct aio_co_fn method_remove;
extern const struct aio_co_fn method_retry;
extern const struct aio_co_fn method_logs;
extern const struct aio_co_fn method_events;
extern const struct aio_co_fn method_functions;
extern const struct aio_co_fn method_groups;
extern const struct aio_co_fn method_group;
extern const struct aio_co_fn method_health;
