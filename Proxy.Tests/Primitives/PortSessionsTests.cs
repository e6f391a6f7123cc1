using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

public class PortSessionsTests
{
    private static readonly PortSessions Ports = new(20000, 20099);

    [TestCase("20007", 20007)]
    [TestCase("port_20099", 20099)]
    public void Of_a_port_is_that_port(string name, int port) => Assert.That(Ports.Of(name), Is.EqualTo(port));

    /// <summary>Written down: the same after a restart, in another version, on another gateway.</summary>
    [TestCase("work", 20048)]
    [TestCase("home", 20026)]
    [TestCase("21000", 20080)]
    [TestCase("port_19999", 20057)]
    public void Of_a_name_is_always_the_same_port(string name, int port) => Assert.That(Ports.Of(name), Is.EqualTo(port));

    [Test]
    public void Of_many_names_uses_all_ports_and_none_beside()
    {
        int[] ports = [.. Enumerable.Range(0, 2000).Select(static i => Ports.Of($"name{i}"))];

        Assert.That(ports, Has.All.InRange(20000, 20099));
        Assert.That(ports.Distinct().Count(), Is.EqualTo(100));
    }
}
