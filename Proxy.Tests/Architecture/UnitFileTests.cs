using System.Text.RegularExpressions;
using TorBalancer.Configuration;

namespace TorBalancer.Tests.Architecture;

public partial class UnitFileTests
{
    [Test]
    public void TimeoutStopSec_leaves_time_for_draining_and_for_what_follows()
    {
        var match = StopTimeout().Match(Repository.Text("systemd/torbalancer.service"));

        Assert.That(match.Success, Is.True);
        var stop = TimeSpan.FromSeconds(int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

        // Behind the drain time stands the host's own limit (30 s more), and the workers stop in stages of 5 s.
        Assert.That(stop, Is.GreaterThanOrEqualTo(new TunnelOptions().DrainTimeout + TimeSpan.FromSeconds(30 + 15)));
    }

    [GeneratedRegex(@"^TimeoutStopSec=(\d+)s$", RegexOptions.Multiline)]
    private static partial Regex StopTimeout();
}
