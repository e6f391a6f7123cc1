using System.Globalization;
using System.Text.Json;
using TorBalancer.Processes;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

// The clients: one program in their namespace, with a thread for each, which asks for the exit that it comes through, one request after
// the other and each over a connection of its own.
public sealed partial class SeveralGatewaysTests
{
    private const string Program = """
        import json, signal, socket, struct, sys, threading, time

        balancer, port, clients = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
        stop, printing = threading.Event(), threading.Lock()


        class Broken(Exception):
            pass


        def exactly(connection, count):
            data = b""
            while len(data) < count:
                piece = connection.recv(count - len(data))
                if not piece:
                    raise Broken("an end")
                data += piece
            return data


        def ask(address, host, user):
            with socket.create_connection((balancer, 1080), 60, (address, 0)) as connection:
                answer = b""
                try:
                    connection.sendall(b"\x05\x01" + (b"\x02" if user else b"\x00"))
                    if exactly(connection, 2) == b"\x05\x02":
                        connection.sendall(b"\x01" + bytes([len(user)]) + user + b"\x01x")
                        exactly(connection, 2)
                    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", port))
                    reply = exactly(connection, 4)
                    if reply[1] != 0:
                        raise OSError("SOCKS reply %d" % reply[1])
                    length = {1: 4, 4: 16}.get(reply[3]) or exactly(connection, 1)[0]
                    exactly(connection, length + 2)
                    connection.sendall(b"GET /exit HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
                    while piece := connection.recv(4096):
                        answer += piece
                except ConnectionError as failure:
                    raise (OSError(f"cut: {failure}") if answer else Broken(failure)) from failure
            if not answer:
                raise Broken("an end")
            head, _, body = answer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise OSError(repr(answer))
            return body.decode().strip()


        def run(address, host, user):
            while not stop.is_set():
                began, tries, exit, error = time.time(), 0, "", ""
                while not exit and not error:
                    tries += 1
                    try:
                        exit = ask(address, host.encode(), user.encode())
                    except Broken as failure:
                        error = "" if tries == 1 else f"broken twice: {failure}"
                    except OSError as failure:
                        error = f"{failure!r}"
                with printing:
                    print(json.dumps(dict(host=host, began=began, ended=time.time(), tries=tries, exit=exit, error=error)), flush=True)
                stop.wait(0.15)


        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        threads = [threading.Thread(target=run, args=client) for client in clients]
        for thread in threads:
            thread.start()
        while not stop.wait(0.2):
            pass
        for thread in threads:
            thread.join()
        print("all have ended", flush=True)
        """;

    private async Task<ForegroundProcess> StartClientsAsync(NetworkNamespace machine, int port, CancellationToken token)
    {
        string file = Path.Combine(_directory, "clients.py");
        await File.WriteAllTextAsync(file, Program, token);
        string[][] clients = [.. Clients.Select(static one => new[] { one.Address, one.Host, one.User })];
        return ForegroundProcess.Start(
            [
                .. machine.Under, ClientProcess.Require("python3"), file, Balancer, port.ToString(CultureInfo.InvariantCulture),
                JsonSerializer.Serialize(clients),
            ]);
    }

    /// <summary>Lets them end what they have begun; all that they have asked for.</summary>
    private static async Task<IReadOnlyList<Request>> EndClientsAsync(ForegroundProcess clients, CancellationToken token)
    {
        ProcessSignals.Terminate(clients.Id);
        await clients.WaitForLineAsync("all have ended", token);
        return
        [
            .. clients.ToString().Split('\n').Where(static line => line.StartsWith('{'))
                .Select(static line => JsonSerializer.Deserialize<Request>(line, JsonSerializerOptions.Web)!),
        ];
    }

    /// <param name="Tries">2: the first connection ended before it had brought a byte of the answer.</param>
    /// <param name="Exit">The name of the exit; empty: there is an <paramref name="Error"/> instead.</param>
    private sealed record Request(string Host, double Began, double Ended, int Tries, string Exit, string Error);
}
