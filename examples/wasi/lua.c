// Runs a script in Lua. Without an argument, the script makes a closure share a variable with itself. With any argument it
// does everything else that it does.
#include <stdio.h>
#include <stdlib.h>
#include "lauxlib.h"
#include "lualib.h"

static const char join[] =
    "local function counter()\n"
    "  local count = 0\n"
    "  return function() count = count + 1; return count end\n"
    "end\n"
    "local next = counter()\n"
    "next()\n"
    "debug.upvaluejoin(next, 1, next, 1)\n"
    "print('joined', next())\n";

static const char work[] =
    "local words = {}\n"
    "for word in ('the quick brown fox jumps over the lazy dog'):gmatch('%a+') do words[#words + 1] = word end\n"
    "table.sort(words)\n"
    "print(table.concat(words, ' '):upper())\n"
    "local function fibonacci(n) return n < 2 and n or fibonacci(n - 1) + fibonacci(n - 2) end\n"
    "print(fibonacci(20), 2 ^ 53, 7 // 2, math.type(3), utf8.char(228, 8364, 128512))\n"
    "local function squares(n, i) if i < n then return i + 1, (i + 1) ^ 2 end end\n"
    "local sum = 0\n"
    "for _, square in squares, 1000, 0 do sum = sum + square end\n"
    "print(sum)\n"
    "local Account = setmetatable({}, {__call = function(class, balance)\n"
    "  return setmetatable({balance = balance}, {__index = class, __add = function(a, b) return class(a.balance + b.balance) end})\n"
    "end})\n"
    "print((Account(100) + Account(23)).balance)\n"
    "local weak = setmetatable({}, {__mode = 'k'})\n"
    "for i = 1, 10000 do weak[{}] = string.rep('x', i % 50) end\n"
    "collectgarbage()\n"
    "print(next(weak), select('#', table.unpack(words, 1, 9)), string.format('%5.2f|%-6s|%q', math.pi, 'ab', 'a\\nb'))\n"
    "local packed = string.pack('<i4z s2', -5, 'text', 'more')\n"
    "print(#packed, string.unpack('<i4z s2', packed))\n";

int main(int argc, char **argv) {
    (void)argv;
    static const luaL_Reg libraries[] = {
        {"_G", luaopen_base},
        {LUA_TABLIBNAME, luaopen_table},
        {LUA_STRLIBNAME, luaopen_string},
        {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},
        {LUA_DBLIBNAME, luaopen_debug},
    };
    lua_State *lua = luaL_newstate();
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    int failed = luaL_dostring(lua, work) || (argc == 1 && luaL_dostring(lua, join));
    if (failed) fprintf(stderr, "%s\n", lua_tostring(lua, -1));
    lua_close(lua);
    return failed;
}
