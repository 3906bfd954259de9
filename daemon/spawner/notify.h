/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * notify - a word to the service manager (sd_notify(3)'s protocol), as one datagram.
 */

/* Sends e.g. "READY=1" to NOTIFY_SOCKET. 0, also where nobody asked for it, or a negative
 * errno. */
int notify_send(const char *state);
