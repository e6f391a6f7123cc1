using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Workers;

public class WorkerModelTests
{
    [Test]
    public void Of_takes_what_is_configured()
    {
        var socks = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 9150);
        var control = new UnixDomainSocketEndPoint("/run/tor/control");
        var model = WorkerModel.Of(new WorkerOptions
        {
            Name = "far",
            SocksEndPoint = socks,
            ControlEndPoint = control,
            ControlCookie = "/run/tor/cookie",
            ControlPassword = "secret",
            Weight = 3,
            Country = "de",
            IsTor = false,
        });

        Assert.That(
            model, Is.EqualTo(new WorkerModel("far", socks, 3, "de", IsManaged: false, control)
            {
                ControlCookie = "/run/tor/cookie",
                ControlPassword = "secret",
                IsTor = false,
            }));
    }

    [Test]
    public void Of_takes_empty_texts_for_none()
    {
        var model = WorkerModel.Of(new WorkerOptions { Name = "w" });

        Assert.That(new object?[] { model.ControlCookie, model.ControlPassword, model.Link, model.ControlEndPoint }, Is.All.Null);
        Assert.That(model.SocksEndPoint, Is.EqualTo(new IPEndPoint(IPAddress.Loopback, 9050)));
    }

    [Test]
    public void Of_takes_one_address_of_each_family_for_the_link()
    {
        var (v4, v6, worker) = (IPAddress.Parse("10.8.0.1"), IPAddress.Parse("fd00::1"), IPAddress.Parse("10.8.0.2"));
        var dns = new IPEndPoint(worker, 53);
        var model = WorkerModel.Of(
            new WorkerOptions { Name = "w", WgInterface = "wg0", WgHostAddresses = [v6, v4], WgWorkerAddress = worker, DnsEndPoint = dns });

        Assert.That(model.Link, Is.EqualTo(new WireGuardLink("wg0", v4, v6, worker, dns)));
    }
}
