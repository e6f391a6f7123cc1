using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Connecting;
using TorBalancer.Health.Commands;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Looks at this end of a worker's WireGuard link: its interface, our address on it, whether we may bind to it, and, where
/// the wg tool may be asked, how old the last handshake is. A peer that nobody talked to has an old one or none, so the
/// age is told and never counts; that the far end answers is shown by the steps that follow, which take the link.
/// </summary>
/// <param name="tool">The wg tool, a name or a path.</param>
internal sealed class LinkSteps(CommandRunner commands, TimeProvider time, string tool = "wg")
{
    /// <summary>
    /// Not installed, or not permitted (it needs CAP_NET_ADMIN): that seldom changes while we run, and a program is not started for
    /// nothing at every probe.
    /// </summary>
    internal static readonly TimeSpan AskAgainAfter = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan AskLimit = TimeSpan.FromSeconds(5);

    // By interface, when it was asked in vain.
    private readonly ConcurrentDictionary<string, long> _refused = new();

    public async Task<(ProbeStepResult Result, string Detail)> LinkAsync(
        WorkerModel worker, CancellationToken cancellationToken, StepProof? proof = null)
    {
        if (worker.Link is not { } link)
            return (ProbeStepResult.Skipped, "no WgInterface is configured");
        if (LinkFault.Describe(link) is { } fault)
        {
            // Whoever brings it back may have changed more than that.
            _refused.TryRemove(link.Interface, out _);
            if (proof is not null)
                proof.Value = GoneProof.LinkDown;
            return (ProbeStepResult.Failed, fault);
        }

        var binding = SocketBinding.TryInterface(link.Interface);
        OwnLack.ThrowIf(binding);
        if (binding == SocketError.AccessDenied)
            return (ProbeStepResult.Failed, LinkFault.NotPermitted(link.Interface));
        string handshake = await HandshakeAsync(link.Interface, cancellationToken);
        return (ProbeStepResult.Passed, $"{link} is up{handshake}");
    }

    private async Task<string> HandshakeAsync(string name, CancellationToken cancellationToken)
    {
        if (_refused.TryGetValue(name, out long refused) && time.GetElapsedTime(refused) < AskAgainAfter)
            return "";
        var result = await commands.RunAsync($"exec {Quoted(tool)} show {Quoted(name)} latest-handshakes", [], AskLimit, cancellationToken);
        if (result.ExitCode != 0)
        {
            _refused[name] = time.GetTimestamp();
            return "";
        }

        return Newest(result.Output) is { } age
            ? string.Create(CultureInfo.InvariantCulture, $", last handshake {Math.Max(0, (long)age.TotalSeconds)} s ago")
            : ", no handshake yet";
    }

    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

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
