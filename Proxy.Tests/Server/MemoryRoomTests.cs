using TorBalancer.Server;

namespace TorBalancer.Tests.Server;

public class MemoryRoomTests
{
    private const long MiB = 1 << 20;

    private string _directory = "";

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("tbm").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Without_a_limit_every_client_is_taken()
    {
        var room = new MemoryRoom(MemoryGroup.Find(Membership("0::/"), _directory), static () => Assert.Fail("nothing is wanted"));
        Assert.That(room.TryTake(1_000_000), Is.True);
        room.Collect();
        Assert.That(room.Limit, Is.Zero);
    }

    [TestCase(512, 17_749)]
    [TestCase(128, 3_413)]
    [TestCase(40, MemoryRoom.LeastClients)]
    public void Clients_are_promised_what_each_takes(int limit, int clients)
    {
        var room = new MemoryRoom(Second(limit, used: 1, cache: 0), static () => { });
        Assert.That(room.MostClients, Is.EqualTo(clients));
        Assert.That(room.TryTake(clients - 1), Is.True);
        Assert.That(room.TryTake(clients), Is.False);
    }

    [Test]
    public void Nobody_is_taken_while_little_is_left_and_what_can_be_freed_is()
    {
        int collections = 0;
        var room = new MemoryRoom(Second(128, used: 113, cache: 0), () => collections++);
        Assert.That(room.TryTake(MemoryRoom.LeastClients - 1), Is.True, "so few are always taken");
        Assert.That(room.TryTake(100), Is.False);
        Assert.That(room.TryTake(100), Is.False, "it is looked at anew");
        room.Collect();
        Assert.That(collections, Is.EqualTo(1));
        Second(128, used: 60, cache: 0);
        Assert.That(room.TryTake(100), Is.True);
        room.Collect();
        Assert.That(collections, Is.EqualTo(1));
    }

    [Test]
    public void What_the_page_cache_holds_is_not_used()
    {
        Assert.That(Second(128, used: 120, cache: 50)!.Free(), Is.EqualTo((128 - 70) * MiB));
        Assert.That(new MemoryRoom(Second(128, used: 120, cache: 50), static () => { }).TryTake(100), Is.True);
    }

    [Test]
    public void Find_reads_the_first_version_too_and_the_groups_around()
    {
        string outer = Path.Combine(_directory, "memory", "slice");
        Directory.CreateDirectory(Path.Combine(outer, "unit"));
        File.WriteAllText(Path.Combine(outer, "unit", "memory.limit_in_bytes"), "9223372036854771712\n");
        File.WriteAllText(Path.Combine(outer, "memory.limit_in_bytes"), $"{96 * MiB}\n");
        File.WriteAllText(Path.Combine(outer, "memory.usage_in_bytes"), $"{50 * MiB}\n");
        File.WriteAllText(
            Path.Combine(outer, "memory.stat"),
            $"cache 1\ninactive_file {10 * MiB}\nactive_file {5 * MiB}\ntotal_inactive_file {20 * MiB}\ntotal_active_file {5 * MiB}\n");
        var found = MemoryGroup.Find(Membership("9:name=systemd:/\n4:cpu,memory:/slice/unit\n0::/"), _directory);
        Assert.That(found!.Limit, Is.EqualTo(96 * MiB));
        Assert.That(found.Free(), Is.EqualTo((96 - 25) * MiB), "with the groups below");
    }

    /// <summary>A slice holds others too: it may be full long before the unit's own limit is near.</summary>
    [Test]
    public void The_group_that_has_least_left_decides()
    {
        string slice = Directory.CreateDirectory(Path.Combine(_directory, "system.slice")).FullName;
        File.WriteAllText(Path.Combine(slice, "memory.max"), $"{512 * MiB}\n");
        File.WriteAllText(Path.Combine(slice, "memory.current"), $"{505 * MiB}\n");
        File.WriteAllText(Path.Combine(slice, "memory.stat"), "anon 5\n");
        var found = Second(128, used: 40, cache: 0)!;
        Assert.That((found.Limit, found.Free()), Is.EqualTo((128 * MiB, 7 * MiB)));
        Assert.That(new MemoryRoom(found, static () => { }).TryTake(100), Is.False);
    }

    private string Membership(string lines)
    {
        string file = Path.Combine(_directory, "cgroup");
        File.WriteAllText(file, lines + "\n");
        return file;
    }

    /// <summary>A group of the second version, in MiB.</summary>
    private MemoryGroup? Second(int limit, int used, int cache)
    {
        string unit = Directory.CreateDirectory(Path.Combine(_directory, "system.slice", "unit")).FullName;
        File.WriteAllText(Path.Combine(unit, "memory.max"), $"{limit * MiB}\n");
        File.WriteAllText(Path.Combine(unit, "memory.current"), $"{used * MiB}\n");
        File.WriteAllText(Path.Combine(unit, "memory.stat"), $"anon 5\nfile 7\ninactive_file {cache * MiB}\nactive_file 0\n");
        return MemoryGroup.Find(Membership("0::/system.slice/unit"), _directory);
    }
}
