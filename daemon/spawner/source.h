/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * source - what an event of the epoll set belongs to; the first member of what is in the set.
 */
enum source_kind { SOURCE_LISTENER, SOURCE_SIGNALS, SOURCE_PEER, SOURCE_CHILD, SOURCE_REVIVE };

struct source {
    enum source_kind kind;
};
