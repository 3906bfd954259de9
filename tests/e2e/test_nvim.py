# SPDX-License-Identifier: MIT
"""Clients that know MessagePack-RPC and nothing of aiod: Neovim, and pynvim's session."""
import json
import os
import subprocess
import unittest

from harness import TIMEOUT, InstanceTest

LUA = r"""
local function write(value)
  local f = assert(io.open(os.getenv("RESULT"), "w"))
  f:write(vim.fn.json_encode(value))
  f:close()
end
local channel = vim.fn.sockconnect("pipe", os.getenv("AIOD_SOCKET"), {rpc = true})
local out = {channel = channel}
local function request(name, ...)
  local ok, value = pcall(vim.rpcrequest, channel, ...)
  out[name] = {ok = ok, value = ok and value or tostring(value)}
  return value
end
request("hello", "hello", {client = "nvim"})
request("no_params", "hello")
request("empty_list", "hello", {})
request("empty_dict", "hello", vim.empty_dict())
local id = request("submit", "submit", {args = {argv = {"sh", "-c", "echo hi; exit 3"}}}).id
request("await", "await", {id = id})
request("status", "status", {ids = {id}})
request("unknown", "no-such-method", {})
request("not_found", "task", {id = 999})
request("invalid", "task", {colour = "red"})
request("two_params", "hello", {}, {})
request("sleep", "submit", {["function"] = "sleep", args = {0.01}})
request("wait", "wait", vim.empty_dict())
out.notified = pcall(vim.rpcnotify, channel, "anything", 1, 2)
request("after", "groups")
write(out)
"""


class Neovim(InstanceTest):
    def nvim(self, *args, **env):
        result = os.path.join(self.aiod.root, "result")
        env = dict(self.aiod.env, AIOD_SOCKET=self.aiod.socket, RESULT=result,
                   HOME=self.aiod.root, **env)
        done = subprocess.run(["nvim", "--headless", "--clean", "-n", *args, "-c", "qa!"], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        return done, result

    def test_rpcrequest(self):
        script = os.path.join(self.aiod.root, "test.lua")
        with open(script, "w", encoding="ascii") as f:
            f.write(LUA)
        done, result = self.nvim("-c", f"luafile {script}")
        self.assertTrue(os.path.exists(result), done.stderr)
        with open(result, encoding="utf-8") as f:
            out = json.load(f)
        self.assertGreater(out["channel"], 0)
        for name in ("hello", "no_params", "empty_list", "empty_dict"):
            self.assertTrue(out[name]["ok"], out[name])
            self.assertEqual(out[name]["value"]["version"], 1)
            self.assertEqual(out[name]["value"]["pid"], self.aiod.process.pid)
        self.assertEqual(out["submit"]["value"], {"id": 1})
        ended = out["await"]["value"]
        self.assertEqual((ended["state"], ended["outcome"]), ("DONE", "failed"))
        self.assertEqual(ended["error"],
                         {"type": "ExitStatus", "message": "exit 3: hi", "exit": 3})
        self.assertEqual(out["status"]["value"]["tasks"], [ended])
        for name, text in (("unknown", "unknown-method: there is no method"),
                           ("not_found", "not-found: there is no task 999"),
                           ("invalid", 'invalid: unknown field "colour"'),
                           ("two_params", "invalid: params")):
            self.assertFalse(out[name]["ok"])
            self.assertIn(text, out[name]["value"])
        self.assertTrue(out["sleep"]["ok"])
        self.assertTrue(out["wait"]["ok"])
        self.assertTrue(out["notified"])
        self.assertEqual(out["after"]["value"], self.aiod.call("groups"))

    def test_what_its_user_reads(self):
        connect = "let c = sockconnect('pipe', $AIOD_SOCKET, {'rpc': v:true})"
        done, _ = self.nvim("-c", connect, "-c", "call rpcrequest(c, 'task', {'id': 999})")
        self.assertIn("not-found: there is no task 999", done.stderr)
        done, _ = self.nvim("-c", connect, "-c", "call rpcrequest(c, 'nope')")
        self.assertIn("unknown-method: there is no method", done.stderr)

    def test_commands_from_vimscript(self):
        connect = "let c = sockconnect('pipe', $AIOD_SOCKET, {'rpc': v:true})"
        submit = ("let id = rpcrequest(c, 'submit', "
                  "{'args': {'argv': ['sh', '-c', 'echo from vim'], 'cwd': '/'}}).id")
        done, result = self.nvim(
            "-c", connect, "-c", submit, "-c",
            "call writefile([rpcrequest(c, 'await', {'id': id}).outcome], $RESULT)")
        with open(result, encoding="ascii") as f:
            self.assertEqual(f.read(), "ok\n", done.stderr)
        self.assertEqual(self.aiod.output(1), b"from vim\n")


class Pynvim(InstanceTest):
    def setUp(self):
        super().setUp()
        import pynvim  # fails where it is missing
        from pynvim.msgpack_rpc import socket_session
        self.session = socket_session(self.aiod.socket)
        self.session.error_wrapper = lambda e: pynvim.NvimError(e[1])  # as pynvim.attach does
        self.addCleanup(self.session.close)

    def test_session(self):
        hello = self.session.request("hello", {"client": "pynvim"})
        self.assertEqual(hello["pid"], self.aiod.process.pid)
        self.assertEqual(self.session.request("hello")["version"], 1)
        task = self.session.request("submit", {"args": {"argv": ["echo", "hi"]}})["id"]
        done = self.session.request("await", {"id": task})
        self.assertEqual((done["outcome"], done["title"]), ("ok", "echo hi"))
        self.assertEqual(self.session.request("status", {"ids": [task]})["tasks"], [done])
        self.session.request("anything", 1, async_=True)  # a notification
        self.assertEqual(self.session.request("groups"), self.aiod.call("groups"))

    def test_errors(self):
        for params, text in ((("nope",), "unknown-method: there is no method"),
                             (("task", {"id": 999}), "not-found: there is no task 999"),
                             (("task", {}), 'invalid: "id"'),
                             (("hello", 1, 2), "invalid: params")):
            with self.assertRaises(Exception) as caught:
                self.session.request(*params)
            self.assertIn(text, str(caught.exception))
        self.assertEqual(self.session.request("hello")["version"], 1)

    def test_logs_come_as_notifications(self):
        task = self.session.request("submit", {"args": {"argv": ["echo", "hi"]}})["id"]
        self.session.request("await", {"id": task})
        self.session.request("logs", {"id": task})
        kind, method, params = self.session.next_message()
        self.assertEqual((kind, method), ("notification", "logs"))
        self.assertEqual(params[0]["data"], b"hi\n")

    def test_attach_is_told_that_this_is_no_nvim(self):
        import pynvim
        with self.assertRaises(Exception) as caught:
            pynvim.attach("socket", path=self.aiod.socket)
        self.assertIn("unknown-method", str(caught.exception))
        self.assertEqual(self.session.request("hello")["version"], 1)


if __name__ == "__main__":
    unittest.main()
