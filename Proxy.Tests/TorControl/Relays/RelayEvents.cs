using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>Events as tor writes them, and relays with short names.</summary>
internal static class RelayEvents
{
    public static string Fingerprint(string name) =>
        string.Concat(name.Select(static c => ((int)c).ToString("X2", System.Globalization.CultureInfo.InvariantCulture)))
            .PadRight(40, '0');

    /// <summary>guard,middle,exit with fingerprints.</summary>
    public static string Path(string path) => string.Join(',', path.Split(',').Select(static name => $"${Fingerprint(name)}~{name}"));

    public static ControlEvent Parse(string line) => ControlEventParser.Parse(new ControlReply(650, [new ControlReplyLine(line)]));

    public static string Built(string id, string path, string? token = null, string purpose = "GENERAL", string? conflux = null) =>
        $"CIRC {id} BUILT {Path(path)} BUILD_FLAGS=NEED_CAPACITY PURPOSE={purpose}" + (
            token is null ? "" : $" SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"{token}\"")
        + (conflux is null ? "" : $" CONFLUX_ID={conflux}");

    public static string Died(string id, string path, string remote = "DESTROYED") =>
        $"CIRC {id} CLOSED {Path(path)} BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL REASON=DESTROYED REMOTE_REASON={remote}";

    public static string[] Sent(string id, string circuit, string target, string token = "t", int port = 1000) =>
    [
        $"STREAM {id} NEW 0 {target} SOURCE_ADDR=127.0.0.1:{port} PURPOSE=USER SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"{token}\"",
        $"STREAM {id} SENTCONNECT {circuit} {target} SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"{token}\"",
    ];

    public static string[] Opened(string id, string circuit, string target, string token = "t", int port = 1000) =>
        [
            .. Sent(id, circuit, target, token, port),
            $"STREAM {id} SUCCEEDED {circuit} {target} SOCKS_USERNAME=\"u\" SOCKS_PASSWORD=\"{token}\"",
        ];

    public static string[] Failed(string id, string circuit, string target, string reason, string token = "t") =>
        [.. Sent(id, circuit, target, token), $"STREAM {id} FAILED {circuit} {target} {reason}"];

    public static List<StreamVerdict> Feed(this CircuitTable table, params IEnumerable<string> lines)
    {
        var verdicts = new List<StreamVerdict>();
        foreach (string line in lines)
            table.Apply(Parse(line), verdicts);
        return verdicts;
    }
}
