using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Tests.TorControl.Relays;

public sealed class CountryExitsTests
{
    private ListLogger _log = new();
    private int _exits;
    private string _available = "1";

    [SetUp]
    public void SetUp() => (_log, _available) = (new ListLogger(), "1");

    [Test, CancelAfter(20_000)]
    public async Task Exits_of_the_country_are_counted_in_portions_and_few_are_warned_of_once(CancellationToken token)
    {
        await using var fake = new FakeControlPort { Script = Answer };
        await using var control = await ConnectAsync(fake, token);
        var counted = new CountryExits("w", "de", new Logger<CountryExitsTests>(_log));
        _exits = 300;
        await counted.UpdateAsync(control, token);
        Assert.That(counted.Count, Is.EqualTo(100), "every third is in Germany");
        Assert.That(_log.Entries, Is.Empty);
        int asked = fake.Commands.Count;
        await counted.UpdateAsync(control, token);
        Assert.That(fake.Commands, Has.Count.EqualTo(asked), "nothing is due");

        _exits = 9;
        for (int i = 0; i < 2; i++)
        {
            Assert.That(counted.Observe(StatusEvent.TryParse("STATUS_CLIENT", "NOTICE CONSENSUS_ARRIVED")!));
            await counted.UpdateAsync(control, token);
        }

        Assert.That(counted.Count, Is.EqualTo(3));
        Assert.That(_log.Entries.Select(static entry => entry.Message), Is.EqualTo(new[]
        {
            "Worker w: exits that the Tor network has in its country de: 3; so few are easily blocked, and their users easily told apart",
        }));
    }

    [Test, CancelAfter(20_000)]
    public async Task Without_a_GeoIP_file_nothing_is_counted_and_that_is_said(CancellationToken token)
    {
        _available = "0";
        await using var fake = new FakeControlPort { Script = Answer };
        await using var control = await ConnectAsync(fake, token);
        var counted = new CountryExits("w", "de", new Logger<CountryExitsTests>(_log));
        await counted.UpdateAsync(control, token);
        Assert.That(counted.Count, Is.Null);
        Assert.That(_log.Entries.Single().Message, Does.Contain("tor-geoipdb"));
    }

    [Test, CancelAfter(20_000)]
    public async Task A_worker_of_no_country_asks_nothing(CancellationToken token)
    {
        await using var fake = new FakeControlPort { Script = Answer };
        await using var control = await ConnectAsync(fake, token);
        int before = fake.Commands.Count;
        var counted = new CountryExits("w", "", NullLogger.Instance);
        counted.Connected();
        Assert.That(counted.Observe(StatusEvent.TryParse("STATUS_CLIENT", "NOTICE CONSENSUS_ARRIVED")!), Is.False);
        await counted.UpdateAsync(control, token);
        Assert.That(fake.Commands, Has.Count.EqualTo(before));
    }

    private static Task<ControlConnection> ConnectAsync(FakeControlPort fake, CancellationToken token) =>
        ControlConnection.ConnectAsync(
            fake.EndPoint, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);

    private string? Answer(string command)
    {
        if (command == "GETINFO ip-to-country/ipv4-available")
            return $"250-ip-to-country/ipv4-available={_available}\r\n250 OK\r\n";
        if (command == "GETINFO ns/all")
        {
            string text = string.Concat(Enumerable.Range(0, _exits * 2).Select(static i =>
                $"r n{i} AAAAAAAAAAAAAAAAAAAAAAAAAAA AAAA 2026-01-01 00:00:00 10.0.{i / 250}.{i % 250} 9001 0\r\n"
                    + $"s {(i % 2 == 0 ? "Exit Fast Running Valid" : "Fast Running Valid")}\r\nw Bandwidth=1\r\n"));
            return $"250+ns/all=\r\n{text}.\r\n250 OK\r\n";
        }

        const string prefix = "GETINFO ip-to-country/";
        if (!command.StartsWith(prefix, StringComparison.Ordinal))
            return FakeControlPort.DefaultScript(command);
        string[] keys = command["GETINFO ".Length..].Split(' ');
        return string.Concat(keys.Select(static key =>
        {
            byte[] parts = System.Net.IPAddress.Parse(key.Split('/')[1]).GetAddressBytes();
            return $"250-{key}={(((parts[2] * 250) + parts[3]) / 2 % 3 == 0 ? "de" : "us")}\r\n";
        })) + "250 OK\r\n";
    }
}
