using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Tests.TorControl.Relays;

public sealed class TorLevelTests
{
    [TestCase("0.4.9.11", "auto", "TROVE-2026-040,TROVE-2026-053,bug 41353")]
    [TestCase("0.4.9.11", "0", "TROVE-2026-053,bug 41353")]
    [TestCase("0.4.9.12", "auto", "TROVE-2026-053,bug 41353")]
    [TestCase("0.4.9.14", "auto", "")]
    [TestCase("0.4.9.14", "0", "")]
    [TestCase("0.4.7.16", "unknown", "TROVE-2026-053,bug 41353")]
    [CancelAfter(20_000)]
    public async Task Known_faults_are_warned_of_once_with_version_and_consequence(
        string version, string conflux, string references, CancellationToken token)
    {
        var log = new ListLogger();
        await using var fake = new FakeControlPort
        {
            Script = command => command switch
            {
                "PROTOCOLINFO 1" => $"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"{version}\"\r\n250 OK\r\n",
                "GETCONF ConfluxEnabled" when conflux == "unknown" => "552 Unrecognized configuration key \"ConfluxEnabled\"\r\n",
                "GETCONF ConfluxEnabled" => $"250 ConfluxEnabled={conflux}\r\n",
                _ => FakeControlPort.DefaultScript(command),
            },
        };
        await using var control = await ControlConnection.ConnectAsync(
            fake.EndPoint, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);
        var level = new TorLevel("w", new Logger<TorLevelTests>(log));
        await level.ConnectedAsync(control, token);
        await level.ConnectedAsync(control, token);
        Assert.That(level.Version.ToString(), Is.EqualTo(version));
        Assert.That(string.Join(',', level.Faults.Select(static fault => fault.Reference)), Is.EqualTo(references));
        Assert.That(level.MayUseConflux, Is.EqualTo(conflux != "0" && version != "0.4.7.16"));
        Assert.That(
            log.Entries.Where(static entry => entry.Level == LogLevel.Information).Select(static entry => entry.Message),
            level.MayUseConflux ? Has.One.StartsWith("Worker w: its tor may use conflux, with which") : Is.Empty);
        var warnings = log.Entries.Where(static entry => entry.Level == LogLevel.Warning).ToArray();
        if (references.Length == 0)
            Assert.That(warnings, Is.Empty);
        else
            Assert.That(
                warnings.Single().Message,
                Does.StartWith($"Worker w: its tor is {version}, which has known faults: ").And.Contain("another client's streams")
                    .And.Contain("fixed in 0.4.9.13"));
    }
}
