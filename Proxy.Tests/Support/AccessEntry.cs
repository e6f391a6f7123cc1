using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Support;

/// <summary>Reads fields of the access log's lines.</summary>
internal static partial class AccessEntry
{
    public static string Worker(LogEntry entry) => Field(entry, "worker");

    /// <summary>The value of <c>name=value</c>; empty when the line has none.</summary>
    public static string Field(LogEntry entry, string name) => Field(entry.Message, name);

    /// <inheritdoc cref="Field(LogEntry, string)" />
    public static string Field(string line, string name) =>
        Fields().Matches(line).FirstOrDefault(match => match.Groups[1].Value == name)?.Groups[2].Value ?? "";

    /// <summary>Waits for that many lines of connections (CONNECT and SOCKS) or of requests in absolute form.</summary>
    public static Task<IReadOnlyList<LogEntry>> WaitForConnectionsAsync(this ListLogger log, int count, CancellationToken token) =>
        log.WaitForAsync("access", count, token);

    [GeneratedRegex(@"(\w+)=(\S+)")]
    private static partial Regex Fields();
}
