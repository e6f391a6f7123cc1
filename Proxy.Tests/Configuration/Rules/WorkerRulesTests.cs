namespace TorBalancer.Tests.Configuration.Rules;

public class WorkerRulesTests
{
    [Test]
    public void Workers_none_at_all_refused() =>
        Assert.That(Loading.Errors("[ManagedWorkers]\nCount = 0"),
            Does.StartWith("t.conf:2: [ManagedWorkers] Count = 0 and no [Worker:name] is configured"));

    [Test]
    public void Workers_and_managed_workers_is_a_warning()
    {
        var result = Loading.Text("[Worker:a]\n[ManagedWorkers]\nCount = 5");

        Assert.That(result.IsValid, Is.True);
        Assert.That(Loading.Join(result.Warnings),
            Is.EqualTo("t.conf:3: [ManagedWorkers] is not used, because there are [Worker:name] sections"));
    }

    [TestCase("[Worker:a]\n[ManagedWorkers]")]
    [TestCase("[Worker:a]\n[ManagedWorkers]\nCount = 0")]
    [TestCase("[Worker:a]\n[ManagedWorkers]\nDataDirectory = /var/lib/x", Description = "the isolation key is kept there")]
    public void Workers_and_managed_workers_off_or_untouched_is_fine(string text) =>
        Assert.That(Loading.Join(Loading.Text(text).Warnings), Is.Empty);

    [TestCase("[Worker:a]\n[Worker:b]",
        "t.conf:2: [Worker:b] 127.0.0.1:9050 is the SOCKS address of [Worker:a] already; two workers need two tor processes")]
    [TestCase("[Worker:a]\nAddress = unix:/s\n[Worker:b]\nSocksPort = unix:/s",
        "t.conf:4: [Worker:b] /s is the SOCKS address of [Worker:a] already; two workers need two tor processes")]
    [TestCase("[Worker:a]\nSocksPort = 1080",
        "t.conf:2: [Worker:a] 127.0.0.1:1080 is this daemon's own [Listener:main] Address, not a tor process")]
    public void Workers_socks_address_given_twice_refused(string text, string expected) =>
        Assert.That(Loading.Errors(text), Is.EqualTo(expected));
}
