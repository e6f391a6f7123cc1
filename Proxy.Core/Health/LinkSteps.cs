using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Connecting;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Looks at this end of a worker's WireGuard link: its interface, our address on it, whether we may bind to it, and, where
/// the wg tool may be asked, how old the last handshake is. A peer that nobody talked to has an old one or none, so the
/// age is told and never counts; that the far end answers is shown by the steps that follow, which take the link.
/// </summary>
internal sealed class LinkSteps(CommandRunner commands, TimeProvider time)
{
    private static readonly TimeSpan AskLimit = TimeSpan.FromSeconds(2);

    private volatile bool _mayNotAsk;

    public async Task<(ProbeStepResult Result, string Detail)> LinkAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        if (worker.Link is not { } link)
            return (ProbeStepResult.Skipped, "no WgInterface is configured");
        if (LinkFault.Describe(link) is { } fault)
            return (ProbeStepResult.Failed, fault);
        if (SocketBinding.TryInterface(link.Interface) == SocketError.AccessDenied)
            return (ProbeStepResult.Failed, LinkFault.NotPermitted(link.Interface));
        string handshake = await HandshakeAsync(link.Interface, cancellationToken);
        return (ProbeStepResult.Passed, $"{link} is up{handshake}");
    }

    private async Task<string> HandshakeAsync(string name, CancellationToken cancellationToken)
    {
        if (_mayNotAsk)
            return "";
        string quoted = name.Replace("'", "'\\''", StringComparison.Ordinal);
        var result = await commands.RunAsync($"exec wg show '{quoted}' latest-handshakes", [], AskLimit, cancellationToken);
        if (result.ExitCode != 0)
        {
            // Not installed, or not permitted (it needs CAP_NET_ADMIN): that does not change while we run.
            _mayNotAsk = true;
            return "";
        }

        return Newest(result.Output) is { } age
            ? string.Create(CultureInfo.InvariantCulture, $", last handshake {Math.Max(0, (long)age.TotalSeconds)} s ago")
            : ", no handshake yet";
    }

    /// <summary>Each peer has a line: its key, a tab, and the seconds since 1970; 0 for never.</summary>
    internal TimeSpan? Newest(string output)
    {
        long newest = 0;
        foreach (string word in output.Split(['\t', '?', ' ', '|'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long at))
                newest = Math.Max(newest, at);
        }

        return newest == 0 ? null : time.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(newest);
    }
}
