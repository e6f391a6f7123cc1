using System.Net;

namespace TorBalancer.Tests.Configuration.Reading;

/// <summary>Address, ports and the keys of the WireGuard link.</summary>
public class WorkerCompletionTests
{
    [TestCase("Address = unix:/s\nSocksPort = 9050", "t.conf:3: [Worker:a] SocksPort contradicts Address")]
    [TestCase("Address = unix:/s\nControlPort = 9051", "t.conf:3: [Worker:a] ControlPort is a port, but Address is a unix socket")]
    [TestCase("Address = unix:/s\nSshPort = 22", "t.conf:3: [Worker:a] SshPort needs an Address that is an IP address")]
    [TestCase("ControlPort = 1\nControlCookie = /c\nControlPassword = p",
        "t.conf:4: [Worker:a] ControlPassword and ControlCookie contradict each other; give one of the two")]
    public void Worker_contradictions_refused(string keys, string expected) =>
        Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Does.StartWith(expected));

    [TestCase("", "127.0.0.1", "127.0.0.1:9050", "null")]
    [TestCase("Address = 10.0.0.1\nSocksPort = 9150\nControlPort = 9151", "10.0.0.1", "10.0.0.1:9150", "10.0.0.1:9151")]
    [TestCase("Address = fd00::1\nControlPort = unix:/c", "fd00::1", "[fd00::1]:9050", "/c")]
    [TestCase("Address = localhost", "127.0.0.1", "127.0.0.1:9050", "null")]
    [TestCase("Address = unix:/s\nControlPort = unix:/c", "null", "/s", "/c")]
    [TestCase("SocksPort = unix:/s\nControlPort = 9051", "null", "/s", "127.0.0.1:9051")]
    [TestCase("Address = 10.0.0.1\nSocksPort = unix:/s\nControlPort = 9051", "10.0.0.1", "/s", "10.0.0.1:9051")]
    [TestCase("Address = [fd00::7]\nSocksPort = 9060", "fd00::7", "[fd00::7]:9060", "null")]
    public void Worker_address_and_ports_become_end_points(string keys, string address, string socks, string control)
    {
        var result = Loading.Text($"[Worker:a]\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        var worker = result.Options.Workers.Single();
        Assert.That((Loading.Dump(worker.Address), Loading.Dump(worker.SocksEndPoint), Loading.Dump(worker.ControlEndPoint)),
            Is.EqualTo((address, socks, control)));
    }

    [Test]
    public void Worker_password_without_control_port_is_a_warning_without_the_password() =>
        Assert.That(Loading.Join(Loading.Text("[Worker:a]\nControlPassword = s3cret").Warnings),
            Is.EqualTo("t.conf:2: [Worker:a] has no ControlPort, so ControlPassword is not used"));

    [TestCase("[fd00::7:9050]", "[fd00::7:9050]:9050")]
    [TestCase("fd00::7:8", "[fd00::7:8]:9050")]
    [TestCase("2001:db8:0:0:0:0:0:9050", "[2001:db8::9050]:9050")]
    public void Worker_address_that_cannot_be_mistaken_is_taken(string address, string socks) =>
        Assert.That(Loading.Dump(Loading.Text($"[Worker:a]\nAddress = {address}").Options.Workers.Single().SocksEndPoint),
            Is.EqualTo(socks));

    [TestCase("WgInterface = wg0", "t.conf:2: [Worker:a] WgInterface = \"wg0\" needs WgHostAddress, our own address on that link")]
    [TestCase("WgHostAddress = 10.0.0.1",
        "t.conf:2: [Worker:a] WgHostAddress needs WgInterface, the WireGuard interface towards this worker")]
    [TestCase("DnsPort = 53", "t.conf:2: [Worker:a] DnsPort needs WgInterface, the WireGuard interface towards this worker")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1, 10.0.0.2",
        "t.conf:3: [Worker:a] WgHostAddress has two addresses of one family; give at most one IPv4 and one IPv6 address")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53",
        "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nWgWorkerAddress = fd00::2",
        "t.conf:4: [Worker:a] fd00::2 cannot be reached from WgHostAddress, which is of the other family")]
    [TestCase("WgInterface = a/b\nWgHostAddress = 10.0.0.1",
        "t.conf:2: [Worker:a] WgInterface = \"a/b\" is not the name of a network interface; allowed: the name of a network interface, up "
        + "to 15 letters")]
    public void Half_a_link_refused(string keys, string expected) =>
        Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Is.EqualTo(expected));

    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53\nAddress = fd00::2",
        "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    [TestCase("WgInterface = wg0\nWgHostAddress = 10.0.0.1\nDnsPort = 53\nAddress = unix:/run/tor/a",
        "t.conf:4: [Worker:a] DnsPort needs WgWorkerAddress, the worker's own address on the link")]
    public void DnsPort_without_an_address_that_the_link_reaches_refused(string keys, string expected) =>
        Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Is.EqualTo(expected));

    [TestCase("Address = 17.0.0.134", "17.0.0.134:5353", Description = "the example of the design")]
    [TestCase("Address = 10.201.1.2", "10.201.1.2:5353")]
    [TestCase("Address = 17.0.0.134\nWgWorkerAddress = 10.201.1.2", "10.201.1.2:5353")]
    public void DnsPort_is_asked_at_the_workers_address_on_the_link_or_else_at_its_address(string keys, string expected)
    {
        var result = Loading.Text($"[Worker:a]\nWgInterface = wg0\nWgHostAddress = 10.201.1.1\nDnsPort = 5353\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Workers[0].DnsEndPoint, Is.EqualTo(IPEndPoint.Parse(expected)));
    }

    [TestCase("Address = 10.201.1.2", "10.201.1.2")]
    [TestCase("Address = 10.201.2.2", "null")]
    [TestCase("Address = 198.51.100.7", "null")]
    [TestCase("Address = 198.51.100.7\nWgWorkerAddress = 10.201.1.2", "10.201.1.2")]
    [TestCase("Address = fd00::2", "fd00::2")]
    [TestCase("Address = fd00:0:0:1::2", "null")]
    public void Address_on_the_link_is_known_by_its_network(string keys, string expected)
    {
        var result = Loading.Text($"[Worker:a]\nWgInterface = wg0\nWgHostAddress = 10.201.1.1, fd00::1\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Dump(result.Options.Workers[0].WgWorkerAddress), Is.EqualTo(expected));
    }
}
