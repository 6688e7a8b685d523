%% SPDX-License-Identifier: GPL-3.0-or-later
%% A walk by Erlang's SNMP manager, over SNMPv3 with SHA-256 and AES, for the comparison with net-snmp's.
%%
%%   escript managers-walk.erl ADDRESS PORT USER ENGINE-ID ROOT DIRECTORY <PASSPHRASE
%% ENGINE-ID in hexadecimal digits; DIRECTORY, empty, is the manager's own. Each instance below ROOT is a line:
%%   OID NUMBER   or   OID XX XX ... (octets)   or   OID OID
-mode(compile).

main([Address, Port, User, EngineDigits, Root, Directory]) ->
    Passphrase = string:trim(io:get_line("")),
    EngineId = binary_to_list(binary:decode_hex(list_to_binary(EngineDigits))),
    ok = start(Directory),
    ok = register(Address, list_to_integer(Port), User, EngineId, Passphrase),
    synchronize(5),
    walk(oid(Root), oid(Root)),
    snmpm:stop().

start(Directory) ->
    [ok = file:write_file(filename:join(Directory, Name), Text) ||
        {Name, Text} <- [{"manager.conf", "{address, [127,0,0,1]}.\n{port, 0}.\n{engine_id, \"manager\"}.\n"
                                          "{max_message_size, 65507}.\n"},
                         {"users.conf", ""}, {"agents.conf", ""}, {"usm.conf", ""}]],
    snmpm:start([{versions, [v3]},
                 {config, [{dir, Directory}, {db_dir, Directory}, {verbosity, silence}]}]).

register(Address, Port, User, EngineId, Passphrase) ->
    {ok, Ip} = inet:parse_address(Address),
    Key = snmp:passwd2localized_key(sha256, Passphrase, EngineId),
    ok = snmpm:register_user(walker, snmpm_user_default, undefined),
    ok = snmpm:register_usm_user(EngineId, User,
                                 [{sec_name, User}, {auth, usmHMAC192SHA256AuthProtocol}, {auth_key, Key},
                                  {priv, usmAesCfb128Protocol}, {priv_key, lists:sublist(Key, 16)}]),
    snmpm:register_agent(walker, "master",
                         [{address, Ip}, {port, Port}, {engine_id, EngineId}, {version, v3}, {sec_model, usm},
                          {sec_name, User}, {sec_level, authPriv}, {max_message_size, 65507}]).

%% The first answers tell the engine's boots and time (RFC 3414, 2.3).
synchronize(Tries) ->
    case snmpm:sync_get2(walker, "master", [[1,3,6,1,2,1,1,3,0]]) of
        {ok, {noError, _, _}, _} -> ok;
        _ when Tries > 0 -> synchronize(Tries - 1);
        Other -> stop("no answer: ~p~n", [Other])
    end.

walk(Root, From) ->
    case snmpm:sync_get_bulk2(walker, "master", 0, 25, [From]) of
        {ok, {noError, _, Varbinds}, _} -> print(Root, From, Varbinds);
        Other -> stop("at ~w: ~p~n", [From, Other])
    end.

print(Root, From, []) ->
    walk(Root, From);
print(_, _, [{varbind, _, _, endOfMibView, _} | _]) ->
    ok;
print(Root, From, [{varbind, Oid, Type, Value, _} | Rest]) ->
    case lists:prefix(Root, Oid) of
        true when Oid > From ->
            io:format("~s ~s~n", [dotted(Oid), text(Type, Value)]),
            print(Root, Oid, Rest);
        true -> stop("~w after ~w~n", [Oid, From]);
        false -> ok
    end.

text('OBJECT IDENTIFIER', Oid) -> dotted(Oid);
text(_, Number) when is_integer(Number) -> integer_to_list(Number);
text('OCTET STRING', Octets) -> lists:join(" ", [io_lib:format("~2.16.0B", [Octet]) || Octet <- Octets]).

dotted(Oid) -> [[$. | integer_to_list(Id)] || Id <- Oid].
oid(Text) -> [list_to_integer(Id) || Id <- string:lexemes(Text, ".")].

stop(Format, Arguments) ->
    io:format(standard_error, Format, Arguments),
    halt(1).
